#!/usr/bin/env bash
# Tests studies in a PostgreSQL server of its own, and that Optuna opens the journal of a study.
#
# As root on Debian this installs PostgreSQL. Optuna comes from PyPI, into an environment of its own (target/studies); that needs
# Python 3.10 or newer with `venv`.
set -euo pipefail
cd "$(dirname "$0")/.."

has_postgres() { command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
if ! has_postgres && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update --quiet
    apt-get install --quiet --yes --no-install-recommends postgresql openssl
fi
if has_postgres; then export NN_DROPOUT_POSTGRES=required; fi
# Without PostgreSQL it only builds the program, and says so.
cargo test --workspace --locked --test postgres

test -d target/studies || python3 -m venv target/studies
target/studies/bin/pip install --quiet --disable-pip-version-check optuna
target/studies/bin/python crates/nn-dropout-cli/tests/check_journal.py target/debug/nn-dropout
