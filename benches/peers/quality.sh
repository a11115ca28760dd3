#!/usr/bin/env bash
# Time to quality: seconds of training until the posterior of two-moons reaches a mean MLP-C2ST of .53 on the five reference
# observations, for Couplet, sbi and BayesFlow. Each trains from the start with a budget that doubles until it is good enough.
#
#   benches/peers/quality.sh PYTHON REFERENCE [cpu|gpu|gpu:NAME] [RECORD.jsonl]
#
# REFERENCE: folder with two_moons/observation_01.npz ... 05 (arrays `observation` and `reference_posterior`).
# Budgets: Couplet and BayesFlow in seconds, sbi in simulations (its own early stopping ends it); COUPLET_FROM, SBI_FROM and
# BAYESFLOW_FROM are the first (4, 2500, 4). LIMIT: give up after so many seconds of one training (default 900). WHO: who takes
# part (couplet sbi bayesflow).
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${1:?"give the path of a Python with bayesflow, sbi and torch"}
reference=${2:?"give the folder with two_moons/observation_01.npz"}
device=${3:-cpu}
record=${4:-benches/runs/quality-$(date +%Y%m%d)-${device%%:*}.jsonl}
who=${WHO:-couplet sbi bayesflow}
limit=${LIMIT:-900}
good=${GOOD:-0.53}
couplet=${COUPLET:-target/release/couplet}

observations=("$reference"/two_moons/observation_0[1-5].npz)
[ "${#observations[@]}" = 5 ] && [ -f "${observations[0]}" ] || { echo "no two_moons/observation_01.npz ... 05 in $reference" >&2; exit 2; }
[ -x "$couplet" ] || cargo build --release --quiet
[ "$device" = cpu ] && export JAX_PLATFORMS=cpu CUDA_VISIBLE_DEVICES=
export PYTHONWARNINGS=ignore TF_CPP_MIN_LOG_LEVEL=3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$(dirname "$record")"
: >"$record"

# Mean C2ST of $work/draws over the observations.
score() {
    for observation in "${observations[@]}"; do
        "$couplet" bench c2st "$observation" "$work/draws/$(basename "$observation")"
    done | awk '{ sum += $1 } END { if (NR == 5) printf "%.4f", sum / NR; else print "nan" }'
}

# The peers print `trained SECONDS`, sbi behind words of its own on the same line.
seconds_of() {
    sed -n 's/.*trained \([0-9.]*\)$/\1/p'
}

# Trains with the budget $2; prints the seconds of training, leaves draws in $work/draws.
train() {
    mkdir -p "$work/draws"
    case $1 in
    couplet)
        local begun ended minutes
        minutes=$(awk -v s="$2" 'BEGIN { print s / 60 }')
        begun=$(date +%s.%N)
        "$couplet" train two-moons --device "$device" --minutes "$minutes" --overwrite --quiet -o "$work/run" >&2
        ended=$(date +%s.%N)
        for observation in "${observations[@]}"; do
            "$couplet" sample "$work/run" --data "$observation" -n 10000 --device "$device" \
                -o "$work/draws/$(basename "$observation")" >/dev/null
        done
        awk -v a="$begun" -v b="$ended" 'BEGIN { printf "%.1f", b - a }'
        ;;
    sbi)
        "$python" benches/peers/sbi_bench.py nsf 200 "$2" "${observations[@]}" "$work/draws" 2>/dev/null | seconds_of
        ;;
    bayesflow)
        "$python" benches/peers/bayesflow_bench.py jax ws 64 "$2" "${observations[@]}" "$work/draws" 2>/dev/null | seconds_of
        ;;
    esac
}

for name in $who; do
    case $name in
    couplet) budget=${COUPLET_FROM:-4} ;;
    sbi) budget=${SBI_FROM:-2500} ;;
    bayesflow) budget=${BAYESFLOW_FROM:-4} ;;
    *) echo "WHO: expected couplet, sbi or bayesflow, found $name" >&2; exit 2 ;;
    esac
    while :; do
        rm -rf "$work/draws"
        seconds=$(train "$name" "$budget")
        c2st=$(score)
        echo "{\"who\":\"$name\",\"workload\":\"two-moons\",\"budget\":$budget,\"seconds\":${seconds:-null},\"c2st\":${c2st/nan/null}}" | tee -a "$record"
        if awk -v c="$c2st" -v good="$good" 'BEGIN { exit !(c + 0 > 0 && c <= good) }'; then
            echo "$name: $c2st after $seconds s of training" >&2
            break
        fi
        if awk -v s="${seconds:-1e9}" -v limit="$limit" 'BEGIN { exit !(2 * s > limit) }'; then
            echo "$name: $c2st after $seconds s of training, and no more time" >&2
            break
        fi
        budget=$((2 * budget))
    done
done
