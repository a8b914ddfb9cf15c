#!/bin/bash
# run.sh [--preset dev|release|asan|tsan|clang|fuzz] [--label soak|heavy|fuzz|LABEL]
#   Installs what is missing (as root; else says what is), builds the preset (default dev), and
#   runs its tests: unit, integration, conformance, cluster and light browser tests, and the fuzz
#   corpora. --label runs only the tests of that label. Ends with ctest's summary; its exit code.
set -euo pipefail

top=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
# shellcheck source=packaging/common.sh
. "$top/packaging/common.sh"

# More tests than processors: those of clusters mostly wait.
preset='' label='' jobs=${JOBS:-2} tests_at_once=${TESTS_AT_ONCE:-3}

say() { printf '== %s (%d s)\n' "$*" "$SECONDS"; }
fail() { printf 'run.sh: %s\n' "$*" >&2; exit 1; }

parse_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --preset | --label)
        [ $# -ge 2 ] || { printf 'run.sh: %s takes a name\n' "$1" >&2; exit 2; }
        printf -v "${1#--}" %s "$2"
        shift
        ;;
      -h | --help) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
      *) printf 'run.sh: unknown option %s (--preset, --label)\n' "$1" >&2; exit 2 ;;
    esac
    shift
  done
  if [ "$label" = fuzz ]; then preset=${preset:-fuzz}; fi
  preset=${preset:-dev}
}

install_missing() {
  local lists=(test)
  case $preset in clang | fuzz) lists+=(clang) ;; esac
  if [ "$label" = heavy ]; then lists+=(heavy); fi
  if "$top/packaging/install-deps.sh" "${lists[@]}"; then return; fi
  # Without root the tests that need the missing parts are skipped, each with its reason.
  [ "$(id -u)" != 0 ] || fail "installing failed"
  "$top/packaging/install-deps.sh" build || fail "cannot build without these packages"
}

build() {
  local ccache=()
  if command -v ccache >/dev/null; then
    ccache=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  as_owner cmake --preset "$preset" "${ccache[@]}" >/dev/null
  as_owner cmake --build --preset "$preset" -j "$jobs"
}

# What the failed tests complain of, in the last lines of a long output.
say_what_failed() {
  local log=build/$preset/Testing/Temporary/LastTest.log
  [ -r "$log" ] || return 0
  say "what the failed tests said"
  awk '
    /^[0-9]+\/[0-9]+ Testing: / { name = $3; count = 0 }
    /Error|[Ff]ailure|FAIL|Expected|Traceback|Timeout/ { lines[count++] = substr($0, 1, 400) }
    /^Test (Failed|timed out|time exceeded)/ {
      printf "%s:\n", name
      for (i = count > 8 ? count - 8 : 0; i < count; i++) printf "  %s\n", lines[i]
    }' "$log"
}

run_tests() {
  if [ -n "$label" ]; then
    ctest --test-dir "build/$preset" -L "^$label\$" --output-on-failure --no-tests=error -j "$jobs"
  else
    ctest --preset "$preset" --no-tests=error -j "$tests_at_once"
  fi
}

parse_options "$@"
cd "$top"
say "installing what is missing"
install_missing
say "building preset $preset"
build
say "testing preset $preset${label:+, label $label}"
status=0
run_tests || status=$?
if [ "$status" != 0 ]; then say_what_failed; fi
exit "$status"
