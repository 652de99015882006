#!/bin/bash
# A search on the nodes of one Slurm allocation:
#   sbatch deploy/slurm.sh spaces/mnist_hinton.yaml /shared/runs/mnist_hinton
# Submit it from this repository. Every node needs the repository and its .venv under the same path.
#SBATCH --job-name=distil-search
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
set -euo pipefail
space=$1 out=$2
shift 2

export RAY_AUTH_MODE=token RAY_AUTH_TOKEN RAY_USAGE_STATS_ENABLED=0
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export PATH="$PWD/.venv/bin:$PATH"

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
port=$((20000 + SLURM_JOB_ID % 20000)) # two jobs may share a node

srun --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --port="$port" --num-cpus="$SLURM_CPUS_PER_TASK" --include-dashboard=false --block &
for node in "${nodes[@]:1}"; do
    srun --nodes=1 --ntasks=1 --nodelist="$node" \
        ray start --address="$head:$port" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
done

# Wait for all nodes: the search checks each of them before it trains anything.
srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" python - "$head:$port" "${#nodes[@]}" <<'PYTHON'
import sys
import time

import ray

end = time.monotonic() + 300
while True:
    try:
        if not ray.is_initialized():
            ray.init(address=sys.argv[1], logging_level="error", log_to_driver=False)
        if sum(node["Alive"] for node in ray.nodes()) >= int(sys.argv[2]):
            break
    except ConnectionError:
        pass
    if time.monotonic() > end:
        sys.exit(f"fewer than {sys.argv[2]} nodes after five minutes")
    time.sleep(2)
PYTHON

srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
    python -m search.run "$space" --out "$out" --address "$head:$port" "$@" &
search=$!
trap 'kill -TERM $search' TERM # shortly before the time limit the search writes its tables and ends; submit the job again to resume
wait $search && code=0 || code=$?
if [ $code -gt 128 ]; then # the signal ended this wait, not the search
    wait $search && code=0 || code=$?
fi
exit $code
