#!/bin/bash
# run_fuzz.sh PROGRAM FOUND CORPUS: fuzzes for HPC_FUZZ_SECONDS (60). New inputs go to FOUND in the
# build folder, never into the corpus in git; an input that fails is kept there as crash-*.
set -euo pipefail

program=$1 found=$2 corpus=$3
mkdir -p "$found"
words=$(dirname "$0")/$(basename "$corpus").dict
[ -f "$words" ] || words=$(dirname "$0")/http.dict
exec "$program" -max_total_time="${HPC_FUZZ_SECONDS:-60}" -max_len=8192 -timeout=10 \
  -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 -artifact_prefix="$found/" \
  -dict="$words" "$found" "$corpus"
