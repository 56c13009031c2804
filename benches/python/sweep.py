"""Trains the networks of `nn-dropout sweep` in PyTorch; src/sweep.rs runs it.

    python sweep.py DIGITS.csv JOB JOBS EVAL_INTERVAL

The trainings are those of job number JOB of JOBS. Prints how long they took in seconds, from the data in memory to the last
score, and the mean accuracy on the validation part.
"""

import csv
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

RATES = [rate / 10 for rate in range(9)]
SEEDS = [42, 43, 44]
HIDDEN, EPOCHS, BATCH, LEARNING_RATE = 512, 30, 32, 3e-3


def train(x, y, rate, seed, interval):
    """The accuracy of a network on the validation part at the end."""
    torch.manual_seed(seed)
    training, validation = torch.randperm(len(y)).tensor_split([len(y) // 4])
    mean, deviation = x[training].mean(0), x[training].std(0)
    x = (x - mean) / deviation.where(deviation > 0, 1)
    parts = [(x[rows], y[rows]) for rows in (training, validation)]

    model = nn.Sequential(
        nn.Linear(x.shape[1], HIDDEN),
        nn.ReLU(),
        nn.Dropout(rate),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Dropout(rate),
        nn.Linear(HIDDEN, 10),
    )
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, eps=1e-5, weight_decay=1e-4)
    steps = EPOCHS * -(-len(training) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for epoch in range(1, EPOCHS + 1):
        model.train()
        for rows in torch.randperm(len(training)).split(BATCH):
            loss = F.cross_entropy(model(parts[0][0][rows]), parts[0][1][rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if epoch % interval == 0 or epoch == EPOCHS:
            model.eval()
            with torch.no_grad():
                for features, targets in parts:
                    outputs = model(features)
                    F.cross_entropy(outputs, targets).item()
                    accuracy = (outputs.argmax(1) == targets).float().mean().item()
    return accuracy


def main():
    path, (job, jobs, interval) = sys.argv[1], map(int, sys.argv[2:])
    torch.set_num_threads(1)
    with open(path) as file:
        table = torch.tensor([[float(cell) for cell in row] for row in list(csv.reader(file))[1:]])
    x, y = table[:, :-1], table[:, -1].long()
    trials = [(rate, seed) for rate in RATES for seed in SEEDS][job::jobs]
    start = time.perf_counter()
    accuracies = [train(x, y, *trial, interval) for trial in trials]
    print(time.perf_counter() - start, sum(accuracies) / len(accuracies))


main()
