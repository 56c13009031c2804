"""Checks that Optuna opens the journal of a study, and finds in it what results.csv says. Needs Optuna.

python check_journal.py PROGRAM
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

program = Path(sys.argv[1]).resolve()
SWEEPS = {
    "grid": ["--seeds", "2", "--rates", "0,0.5", "--layer", "0.5", "--layer", "kind = 'gaussian-dropout', p = 0.1"],
    "asha": ["--seeds", "1", "--search", "asha", "--trials", "20", "--learning-rate-range", "0.00001..0.1"],
    "loss": ["--seeds", "2", "--rates", "0,0.5", "--metric", "log-loss", "--folds", "2"],
}

with tempfile.TemporaryDirectory() as folder:

    def run(*arguments):
        subprocess.run([program, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)

    for name, options in SWEEPS.items():
        run("sweep", "--hidden", "16", "--epochs", "9", "--quiet", "--out", name, *options)
        run("study", "export", f"{name}/study.db", "--format", "optuna-journal", "--output", f"{name}.log")
        storage = JournalStorage(JournalFileBackend(f"{folder}/{name}.log"))
        (study_name,) = optuna.study.get_all_study_names(storage)
        study = optuna.load_study(study_name=study_name, storage=storage)
        with open(f"{folder}/{name}/results.csv") as file:
            rows = list(csv.DictReader(file))

        def key(rate, seed, value):
            return float(rate), int(seed), float(value)

        trials = sorted(key(t.params["dropout"], t.user_attrs["seed"], t.user_attrs[study.user_attrs["metric"].replace(" ", "_")]) for t in study.trials)
        assert trials == sorted(key(row["dropout"], row["seed"], row["val_metric"]) for row in rows), name
        complete = [row for row in rows if row["state"] == "complete"]
        assert sum(t.state == TrialState.COMPLETE for t in study.trials) == len(complete), name
        assert sum(t.state == TrialState.PRUNED for t in study.trials) == len(rows) - len(complete), name
        best = min if name == "loss" else max
        assert study.best_value == best(float(row["val_metric"]) for row in complete), name
        assert all(len(t.intermediate_values) > 0 for t in study.trials), name
        print(f"{name}: Optuna has {len(study.trials)} trials, the best with {study.best_params}")
