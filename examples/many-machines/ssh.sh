#!/usr/bin/env bash
# A sweep on machines that you reach with ssh: one worker on each of them, and all share the trials of one study.
#
#     bash ssh.sh HOST...

set -euo pipefail

# On every machine, this one included, the password is in ~/.pgpass.
study='postgres://sweeper@db.example.com/sweeps#my-table'
# Where the data are on the other machines.
data=table.csv
target=target

if (($# == 0)); then
    echo "usage: ssh.sh HOST..." >&2
    exit 2
fi

workers=()
# Whoever stops this script stops all workers.
trap 'kill "${workers[@]}"; exit 130' INT TERM
for host in "$@"; do
    number=$((${#workers[@]} + 1))
    # A folder for each worker, since some hosts may have the same home folder.
    printf -v command '%q ' nn-dropout sweep --data "$data" --target "$target" \
        --study "$study" --out "sweep-$number" --quiet
    # With a terminal (-tt) the worker is told when its ssh ends; otherwise it would go on alone.
    ssh -tt "$host" "$command" </dev/null >"worker-$number.log" 2>&1 &
    workers+=($!)
done

for number in "${!workers[@]}"; do
    # Not the end of the sweep: the other workers take over the trials.
    wait "${workers[$number]}" || echo "a worker failed: see worker-$((number + 1)).log" >&2
done
nn-dropout study show "$study"
