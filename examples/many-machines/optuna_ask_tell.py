"""Optuna looks for the dropout rate and the learning rate; each of its trials is one `nn-dropout train` on the built-in digits.

pip install optuna
python optuna_ask_tell.py --trials 20
"""

import argparse
import subprocess
import tempfile

import optuna

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--trials", type=int, default=20, help="how many trials this process runs")
# With a database several machines share one study. Without it the study is in memory.
parser.add_argument("--storage", help="such as postgresql+psycopg://USER@HOST/DATABASE")
arguments = parser.parse_args()

study = optuna.create_study(
    study_name="nn-dropout", storage=arguments.storage, load_if_exists=True, direction="maximize"
)
for _ in range(arguments.trials):
    trial = study.ask()
    dropout = trial.suggest_float("dropout", 0.0, 0.8)
    learning_rate = trial.suggest_float("learning_rate", 3e-4, 3e-2, log=True)
    # A training writes a run with a report. Only its scores are of interest here.
    with tempfile.TemporaryDirectory() as folder:
        command = ["nn-dropout", "train", "--scores", "--out", folder]
        command += ["--dropout", str(dropout), "--learning-rate", str(learning_rate)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    # NAME=VALUE, one per line.
    scores = dict(line.split("=") for line in output.splitlines())
    study.tell(trial, float(scores["validation_accuracy"]))

print(f"validation accuracy {study.best_value:.3f} with {study.best_params}")
