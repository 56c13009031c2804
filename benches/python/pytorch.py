"""Measures PyTorch's dropout against nn_dropout.torch's, side by side in one process, and prints tables in Markdown.

    python pytorch.py [--threads N] [--quick] [--no-compile]

Contenders take turns in many short rounds, so that whatever slows the machine down hits both alike; the number of each
is the lower quartile of its times. Memory is the peak of a process of its own, less what it had before the steps.
"""

import argparse
import contextlib
import functools
import multiprocessing
import platform
import random
import time
from pathlib import Path

import nn_dropout
import nn_dropout.torch
import torch
from torch import nn
from torch.nn import functional as F

VOCABULARY = 65


class Block(nn.Module):
    """A block of nanoGPT."""

    def __init__(self, channels, heads, p):
        super().__init__()
        self.heads, self.p = heads, p
        self.norm1, self.norm2 = nn.LayerNorm(channels, bias=False), nn.LayerNorm(channels, bias=False)
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.project = nn.Linear(channels, channels, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels, bias=False), nn.GELU(), nn.Linear(4 * channels, channels, bias=False)
        )
        self.drop1, self.drop2 = nn.Dropout(p), nn.Dropout(p)

    def forward(self, x):
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.qkv(self.norm1(x)).chunk(3, 2))
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.p if self.training else 0.0, is_causal=True)
        x = x + self.drop1(self.project(y.transpose(1, 2).flatten(2)))
        return x + self.drop2(self.mlp(self.norm2(x)))


class Gpt(nn.Module):
    """nanoGPT, of the size that its README trains on a CPU."""

    def __init__(self, p, layers=4, heads=4, channels=128, block=64):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, channels), nn.Embedding(block, channels)
        self.drop = nn.Dropout(p)
        self.blocks = nn.Sequential(*(Block(channels, heads, p) for _ in range(layers)))
        self.norm = nn.LayerNorm(channels, bias=False)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        return self.norm(self.blocks(self.drop(x))) @ self.tokens.weight.T

    @staticmethod
    def inputs(batch=12):
        return (torch.arange(batch * 64) ** 2 % VOCABULARY).view(batch, 64)


class Bert(nn.Module):
    """An encoder like BERT's, of PyTorch's own layers."""

    def __init__(self, p, layers=4, heads=4, channels=256):
        super().__init__()
        layer = nn.TransformerEncoderLayer(channels, heads, 4 * channels, p, "gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.embed, self.drop = nn.Embedding(VOCABULARY, channels), nn.Dropout(p)
        self.head = nn.Linear(channels, VOCABULARY)

    def forward(self, tokens):
        return self.head(self.layers(self.drop(self.embed(tokens))))

    @staticmethod
    def inputs(batch=8):
        return (torch.arange(batch * 128) ** 2 % VOCABULARY).view(batch, 128)


class Mlp(nn.Module):
    """A perceptron for small images."""

    def __init__(self, p, width=1024):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(784, width), nn.ReLU(), nn.Dropout(p), nn.Linear(width, width), nn.ReLU(), nn.Dropout(p)
        )
        self.head = nn.Linear(width, VOCABULARY)

    def forward(self, x):
        return self.head(self.layers(x))

    @staticmethod
    def inputs(batch=128):
        return torch.randn(batch, 784, generator=torch.Generator().manual_seed(1))


MODELS = {"nanoGPT": (Gpt, 0.2), "BERT-like encoder": (Bert, 0.1), "MLP": (Mlp, 0.2)}


def training_step(model, p, ours, compiled=False, **size):
    """A step of a training: forward, backward and AdamW."""
    torch.manual_seed(1)
    network, x = model(p), model.inputs(**size)
    targets = torch.zeros(x.shape[:1] if x.is_floating_point() else x.shape, dtype=torch.long).flatten()
    if ours:
        network = nn_dropout.torch.replace(network)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, foreach=True)
    called = torch.compile(network) if compiled else network

    def step():
        with nn_dropout.torch.patch() if ours else contextlib.nullcontext():
            loss = F.cross_entropy(called(x).flatten(0, -2), targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def measure(contenders, seconds):
    """The time of a call of each contender, in seconds. A contender makes calls, and says how long they took."""
    counts = [max(1, int(0.01 / contender(1))) for contender in contenders]
    times = [[] for _ in contenders]
    turns = list(zip(contenders, counts, times))
    shuffle = random.Random(1).shuffle
    end = time.perf_counter() + seconds * len(contenders)
    while time.perf_counter() < end or len(times[0]) < 8:
        shuffle(turns)
        for contender, count, own in turns:
            own.append(contender(count) / count)
    return [sorted(own)[len(own) // 4] for own in times]


def calls_of(function):
    """A contender that calls a function."""
    for _ in range(3):
        function()

    def calls(count):
        start = time.perf_counter()
        for _ in range(count):
            function()
        return time.perf_counter() - start

    return calls


class Apart:
    """A contender in a process of its own, so that none leaves its memory to another."""

    def __init__(self, *args):
        self.connection, theirs = PROCESSES.Pipe()
        self.process = PROCESSES.Process(target=self.serve, args=(theirs, torch.get_num_threads(), *args), daemon=True)
        self.process.start()
        self.connection.recv()

    @staticmethod
    def serve(connection, threads, *args):
        torch.set_num_threads(threads)
        calls = calls_of(training_step(*args))
        connection.send("ready")
        while True:
            connection.send(calls(connection.recv()))

    def __call__(self, count):
        self.connection.send(count)
        return self.connection.recv()


PROCESSES = multiprocessing.get_context("spawn")


def show(*cells):
    print("|", " | ".join(str(cell) for cell in cells), "|", flush=True)


def elements(seconds):
    """Forward, and forward with backward, of tensors of different sizes."""
    theirs, ours = nn.Dropout(0.1), nn_dropout.torch.Dropout(0.1)
    same = nn_dropout.torch.Dropout(0.1, rng="torch")
    show("elements", "forward", "forward + backward", "the same with PyTorch's masks", "in place")
    show("---", "---:", "---:", "---:", "---:")
    for size in (64, 1 << 10, 1 << 16, 1 << 20, 1 << 24):
        x, gradient = torch.randn(size), torch.randn(size)
        leaf = x.clone().requires_grad_()

        def both(drop):
            def call():
                return torch.autograd.grad(drop(leaf), leaf, gradient)

            return call

        forward = measure([calls_of(lambda: theirs(x)), calls_of(lambda: ours(x))], seconds)
        backward = measure([calls_of(both(drop)) for drop in (theirs, ours, same)], seconds)
        functions = F.dropout, nn_dropout.torch.functional.dropout
        inplace = measure([calls_of(functools.partial(drop, x, 0.1, True, True)) for drop in functions], seconds)
        show(
            f"{size:,}",
            f"{forward[0] / forward[1]:.2f} ({forward[1] * 1e6:.3g} us)",
            f"{backward[0] / backward[1]:.2f} ({backward[1] * 1e6:.3g} us)",
            f"{backward[0] / backward[2]:.2f}",
            f"{inplace[0] / inplace[1]:.2f}",
        )


def steps(seconds, compiled):
    """Steps of trainings: how much longer they take with dropout than without."""
    show("a step of", "p", "without dropout", "PyTorch's dropout adds", "nn-dropout's adds", "PyTorch's step / ours")
    show("---", "---:", "---:", "---:", "---:", "---:")
    for name, (model, p) in MODELS.items():
        # Two processes each: where the system puts their memory makes a difference, and the better one counts.
        settings = [(model, 0.0, False, compiled), (model, p, False, compiled), (model, p, True, compiled)]
        contenders = [Apart(*setting) for setting in settings * 2]
        times = measure(contenders, 2 * seconds)
        none, theirs, ours = (min(pair) for pair in zip(times[:3], times[3:]))
        for contender in contenders:
            contender.process.terminate()
        show(
            name + (", compiled" if compiled else ""),
            p,
            f"{none * 1e3:.3g} ms",
            f"{100 * (theirs / none - 1):.1f} %",
            f"{100 * (ours / none - 1):.1f} %",
            f"{theirs / ours:.2f}",
        )


def peak(model, p, ours, size, queue):
    """How much more memory some steps take at their peak, in MiB, in a process of its own."""
    step = training_step(model, p, ours, **size)
    # Linux forgets the peak so far.
    Path("/proc/self/clear_refs").write_text("5")
    before = memory_of_process("VmRSS")
    for _ in range(3):
        step()
    queue.put((memory_of_process("VmHWM") - before) / 1024)


def memory_of_process(what):
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(what)).split()[1])


def kept(model, p, ours, size):
    """What a step keeps for its backward pass besides parameters and inputs, in MiB."""
    network, x = model(p), model.inputs(**size)
    if ours:
        network = nn_dropout.torch.replace(network)
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    storages = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        with nn_dropout.torch.patch() if ours else contextlib.nullcontext():
            output = network(x)
    del output
    return sum(storages.values()) / 2**20


def memory():
    show(
        "a step of",
        "kept for backward without dropout",
        "PyTorch's",
        "nn-dropout's",
        "peak without",
        "PyTorch's",
        "nn-dropout's",
    )
    show("---", "---:", "---:", "---:", "---:", "---:", "---:")
    for name, (model, p) in MODELS.items():
        size = {"batch": {"nanoGPT": 128, "BERT-like encoder": 32, "MLP": 16384}[name]}
        contenders = [(0.0, False), (p, False), (p, True)]
        peaks = []
        for rate, ours in contenders:
            queue = PROCESSES.Queue()
            process = PROCESSES.Process(target=peak, args=(model, rate, ours, size, queue))
            process.start()
            peaks.append(queue.get())
            process.join()
        keeps = [kept(model, rate, ours, size) for rate, ours in contenders]
        show(f"{name}, batch {size['batch']}", *(f"{mib:.0f} MiB" for mib in keeps + peaks))


def main():
    parser = argparse.ArgumentParser(description="Measure PyTorch's dropout against nn_dropout.torch's")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, torch.get_num_threads()])
    parser.add_argument("--quick", action="store_true", help="shorter rounds")
    parser.add_argument("--no-compile", action="store_true", help="no compiled steps")
    args = parser.parse_args()
    seconds = 0.3 if args.quick else 2
    info = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.processor())
    print(f"PyTorch {torch.__version__}, nn-dropout {nn_dropout.__version__} ({nn_dropout.kernel_name()}), {cpu}")
    print("Ratios are PyTorch's time over nn-dropout's: above 1, nn-dropout is faster.")
    for threads in dict.fromkeys(args.threads):
        torch.set_num_threads(threads)
        print(f"\n{threads} thread{'s' * (threads > 1)}\n")
        elements(seconds)
        print()
        steps(seconds, compiled=False)
        if not args.no_compile:
            print()
            steps(seconds, compiled=True)
    print()
    memory()


if __name__ == "__main__":
    main()
