#!/usr/bin/env bash
# Couplet and its peers in turns, in one go: each round measures everybody once, and ratios are of rounds.
#
#   benches/peers/run.sh PYTHON [cpu|gpu|gpu:NAME] [ROUNDS] [RECORD.json]
#
# PYTHON: an interpreter with jax, bayesflow (jax backend), sbi and torch. Writes the ratios to RECORD and all single measurements
# beside it, as RECORD with .jsonl. BATCHES, SECONDS_EACH and PEERS (jax bayesflow sbi) may be set in the environment.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${1:?"give the path of a Python with jax, bayesflow, sbi and torch"}
device=${2:-cpu}
rounds=${3:-3}
record=${4:-benches/runs/peers-$(date +%Y%m%d)-${device%%:*}.json}
batches=${BATCHES:-32 64 256 1024}
seconds=${SECONDS_EACH:-5}
peers=${PEERS:-jax bayesflow sbi}
couplet=${COUPLET:-target/release/couplet}

[ -x "$couplet" ] || cargo build --release --quiet
"$python" -c 'import sys' || { echo "cannot run $python" >&2; exit 2; }
if [ "$device" = cpu ]; then
    export JAX_PLATFORMS=cpu CUDA_VISIBLE_DEVICES=
fi
export COUPLET_COMMIT=${COUPLET_COMMIT:-$(git rev-parse --short=12 HEAD 2>/dev/null || true)}
export PYTHONWARNINGS=ignore TF_CPP_MIN_LOG_LEVEL=3
lines=${record%.json}.jsonl
mkdir -p "$(dirname "$record")"
: >"$lines"

# Runs a command with the time at which it was given; keeps its measurements, shows the rest.
take() {
    echo "> $*" >&2
    local out
    out=$(BENCH_STARTED=$(date +%s.%N) "$@" 2>/dev/null) || { echo "  failed, left out" >&2; return 0; }
    grep '^{' <<<"$out" >>"$lines" || true
    grep -v '^{' <<<"$out" | sed 's/^/  /' >&2 || true
}
with() { [[ " $peers " == *" $1 "* ]]; }
here=benches/peers

for round in $(seq "$rounds"); do
    echo "round $round of $rounds" >&2
    for batch in $batches; do
        take "$couplet" bench step --lines --device "$device" --workload w --batch "$batch" --seconds "$seconds"
        if with jax; then take "$python" $here/jax_scan.py "$batch" "$seconds"; fi
    done
    take "$couplet" bench step --lines --device "$device" --workload ws --batch 64 --seconds "$seconds"
    take "$couplet" bench sample --lines --device "$device" --workload w,ws --observations 1 --seconds "$seconds"
    if with bayesflow; then
        take "$python" $here/bayesflow_bench.py jax w 64 "$seconds"
        take "$python" $here/bayesflow_bench.py jax ws 64 "$seconds"
    fi
    if with sbi; then
        take "$python" $here/sbi_bench.py nsf 64 "$seconds"
        take "$python" $here/sbi_bench.py maf 64 "$seconds"
    fi
done
"$couplet" bench ratios "$lines" --device "$device" -o "$record"
