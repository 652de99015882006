#!/bin/bash
# A search on the nodes of one Slurm allocation, submitted from this repository:
#   sbatch deploy/slurm.sh spaces/mnist_hinton.yaml s3://BUCKET/runs/mnist_hinton
# Every node needs the repository and its .venv under the same path. The second argument is the experiment's folder: a URI, or
# a path. Only the first node writes to it; after a requeue that may be another machine, so a path must be visible from all.
# Shortly before the time limit, or when the job is preempted, the search stops in order and the job is queued again; it
# resumes from the last epochs.
#SBATCH --job-name=distil-search
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@180
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
space=$1 out=$2
shift 2

export RAY_AUTH_MODE=token RAY_AUTH_TOKEN RAY_USAGE_STATS_ENABLED=0
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export PATH="$PWD/.venv/bin:$PATH"

# This script runs on the first node, and so do the head and the search: a step of `srun` would be killed by the signal.
head=$(hostname)
port=$((20000 + SLURM_JOB_ID % 20000)) # two jobs may share a node
started=$(mktemp)
ray start --head --port="$port" --num-cpus="$SLURM_CPUS_PER_TASK" --include-dashboard=false --block > >(tee "$started") 2>&1 &
ray=$!
trap 'rm -f "$started"; kill "$ray" 2> /dev/null && wait "$ray" || true' EXIT # not every Slurm ends the processes of a batch script: the next run has this port
until grep -q 'Ray runtime started' "$started"; do # earlier, its port answers, but `ray start` on another node fails
    kill -0 "$ray" 2> /dev/null || { echo "Ray's head did not start" >&2 && exit 1; }
    sleep 1
done
others=$((SLURM_JOB_NUM_NODES - 1))
if [ "$others" -gt 0 ]; then # they may join late: the search uses each node when it is there
    srun --nodes="$others" --ntasks="$others" --exclude="$SLURMD_NODENAME" \
        ray start --address="$head:$port" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
fi

search='' stopped=''
trap 'stopped=yes; [ -z "$search" ] || kill -TERM "$search"' TERM
python -m search.run "$space" --out "$out" --address "$head:$port" "$@" &
search=$!
[ -z "$stopped" ] || kill -TERM "$search" # the signal came while the search was being started
code=0
wait "$search" || code=$?
if [ -n "$stopped" ]; then # the signal ended the wait above, not the search, which writes its tables first
    code=0
    wait "$search" || code=$?
    scontrol requeue "$SLURM_JOB_ID" || true # a cancelled job is not queued again
fi
exit "$code"
