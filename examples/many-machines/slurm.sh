#!/usr/bin/env bash
# A sweep on a Slurm cluster. Each task of this array is a worker, and all of them share the trials of one study.
#
#     sbatch slurm.sh

#SBATCH --job-name=nn-dropout
# The number of workers. Each starts as soon as there is room for it.
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=04:00:00
# A worker that had to make room for another job starts again later.
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=sweep-%A-%a.log

set -euo pipefail

# The password is in ~/.pgpass, which every node can read if it has your home folder.
study='postgres://sweeper@db.example.com/sweeps#my-table'

# With `exec` the program itself gets Slurm's signals, and can save what it has before it ends.
exec nn-dropout sweep --data "$HOME/table.csv" --target target \
    --study "$study" \
    --jobs "$SLURM_CPUS_PER_TASK" \
    --out "sweep-$SLURM_ARRAY_JOB_ID/$SLURM_ARRAY_TASK_ID" \
    --quiet
