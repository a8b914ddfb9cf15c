#!/bin/bash
# run.sh [--quick] [--only NAME]... [--json FILE] [--plots DIR]: hpc-proxy and hpc-manager beside
#   nginx, HAProxy, configurable-http-proxy and ssh -L on the same work. Installs what is missing (as
#   root; else says what is), builds the preset release, runs the benchmarks, prints a Markdown table.
#   --quick: a look, under 3 minutes; without it under 15.
#   docs/performance.md says what is measured how.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=packaging/common.sh
. "$top/packaging/common.sh"

peers=$top/build/bench-peers

say() { printf '== %s (%d s)\n' "$*" "$SECONDS" >&2; }
fail() { printf 'run.sh: %s\n' "$*" >&2; exit 1; }

install_missing() {
  if ! "$top/packaging/install-deps.sh" bench; then
    # Without root what needs the missing parts says so in its row.
    [ "$(id -u)" != 0 ] || fail "installing failed"
    "$top/packaging/install-deps.sh" build || fail "cannot build without these packages"
  fi
  if cmp -s "$here/peers/package-lock.json" "$peers/.installed"; then return; fi
  as_owner mkdir -p "$peers"
  as_owner cp "$here/peers/package.json" "$here/peers/package-lock.json" "$peers/"
  (cd "$peers" && as_owner npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) ||
    { printf 'run.sh: without configurable-http-proxy\n' >&2; return 0; }
  as_owner cp "$here/peers/package-lock.json" "$peers/.installed"
}

build() {
  local ccache=() targets=(hpc-proxy hpc-manager wan bench_app bench_client)
  if command -v ccache >/dev/null; then
    ccache=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  cd "$top"
  as_owner cmake --preset release "${ccache[@]}" >/dev/null
  if [ -e /usr/include/benchmark/benchmark.h ]; then targets+=(micro_bench); fi
  as_owner cmake --build --preset release -j "${JOBS:-2}" --target "${targets[@]}" >&2
}

for word in "$@"; do
  case $word in
    -h | --help)
      sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exec /usr/bin/python3 "$here/bench.py" --help
      ;;
  esac
done
# --json FILE and --plots DIR are of the directory in which this was called.
from=$PWD
say "installing what is missing"
install_missing
say "building preset release"
build
say "measuring"
cd "$from"
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$here/bench.py" "$@"
