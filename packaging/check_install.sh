#!/usr/bin/env bash
# check_install.sh HPC_PROXY: is this binary fit for a bare compute node?
# Static, at most 2 MiB stripped, runs in an empty root directory (no libc, no /etc, no /proc).
set -euo pipefail

if [[ $# -ne 1 || ! -x $1 ]]; then
  echo "usage: $0 PATH/TO/hpc-proxy" >&2
  exit 2
fi
readonly STRIPPED_BYTES_MAX=$((2 * 1024 * 1024))

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
install -m 755 "$1" "$root/hpc-proxy"
strip "$root/hpc-proxy"

kind=$(file -b "$root/hpc-proxy")
if [[ $kind != *"statically linked"* && $kind != *"static-pie linked"* ]]; then
  echo "not static: $kind" >&2
  exit 1
fi
size=$(stat -c %s "$root/hpc-proxy")
if ((size > STRIPPED_BYTES_MAX)); then
  echo "too large: $size bytes stripped, at most $STRIPPED_BYTES_MAX" >&2
  exit 1
fi
if [[ $(id -u) -eq 0 ]]; then
  chroot "$root" /hpc-proxy --version
else
  # A user namespace of one's own may chroot; where the site forbids them, say so and go on.
  unshare --user --map-root-user chroot "$root" /hpc-proxy --version ||
    echo "not tried in an empty root: neither root nor user namespaces here" >&2
fi
echo "static, $size bytes stripped"
