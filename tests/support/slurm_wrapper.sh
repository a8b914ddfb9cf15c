#!/bin/bash
# slurm_wrapper.sh: stands in /mnt/bin of a test's site for sbatch, squeue, scontrol, scancel and
# sacct (launch_site.py). On the login node it notes each call of a user in /mnt/calls and does what
# /mnt/calls/NAME.mode says, a mode and maybe a text; elsewhere, and for root, it is the command.
set -u
name=${0##*/}
real=/usr/bin/$name
calls=/mnt/calls
if [ "$HOSTNAME" != login ] || [ "$EUID" = 0 ]; then exec "$real" "$@"; fi

mode=run text=''
read -r mode text 2>/dev/null <"$calls/$name.mode"
call=$calls/$name.$EPOCHREALTIME.$$
printf '%s\0' "${USER:-}" "$@" >"$call.new"
mv "$call.new" "$call.argv"

while_mode_is() {
  local now
  while read -r now _ <"$calls/$name.mode" && [ "$now" = "$1" ]; do sleep 0.05; done 2>/dev/null
}

case $mode in
  record)
    cat "/proc/$$/environ" >"$call.environ"
    cat >"$call.stdin"
    exec "$real" "$@" <"$call.stdin"
    ;;
  fail) echo "$text" >&2; exit 1 ;;
  rubbish) printf '\377\376|RUNNING|\033[2J<%s>\n%%s\t|||\n\n4711\n' "$name"; exit 0 ;;
  hang) while_mode_is hang; exit 1 ;;
  hang-then-run) while_mode_is hang-then-run; exec "$real" "$@" ;;
  run-then-hang)
    answer=$("$real" "$@" 2>&1)
    status=$?
    : >"$call.ran"
    while_mode_is run-then-hang
    printf '%s\n' "$answer"
    exit "$status"
    ;;
esac
exec "$real" "$@"
