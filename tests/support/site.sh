#!/bin/bash
# site.sh VERB DIR ...: a whole SLURM site in namespaces; DIR holds all of its state.
#   up DIR [OPTION]...     starts it; returns when all compute nodes are idle
#     --net A.B.C          network A.B.C.0/24 (default 10.77.0; with --uplink a free one)
#     --users N            number of users, 1 to 20 (default 3: alice bob carol)
#     --nodes N            number of compute nodes, 1 to 6 (default 2)
#     --cpus N             processors of each, as SLURM is told, 1 to 64 (default 8)
#     --uplink             lets programs of this machine reach the login node at A.B.C.10
#     --wan "MS [JITTER_MS [LOSS_PPM [KBIT]]]"   a slow line between web and the rest
#     --job-ssh            compute nodes let only users with a job there log in
#     --no-slurm           sshd only
#     --owner PID          when this process dies, the site goes down and DIR is removed
#     --bind SOURCE=NAME   shows SOURCE read-only at /mnt/NAME in the site (repeatable)
#   exec DIR [USER@]NODE COMMAND...   runs COMMAND on a node, as root or as USER
#   kill DIR NODE          all processes die; its addresses answer with a reset
#   off DIR NODE           power off: silence
#   start DIR NODE         the node boots again
#   cut DIR NODE | heal DIR NODE      unplugs its cable and plugs it in again
#   join DIR OTHER         gives the web node of DIR a cable to OTHER's network, too, until that
#                          node dies or OTHER goes down; the networks must differ (--net)
#   address DIR            prints the login node's address
#   down DIR               ends everything; also when nothing runs
#   leftovers DIR          prints what is still there after down; nothing: exit 0
# Nodes: web (a manager's place), login (sshd, slurmctld), c1, c2 ... (sshd, slurmd).
# Inside, DIR is /mnt: /mnt/home/USER, /mnt/bin (first in PATH), /mnt/keys/USER, /mnt/known_hosts.
# The machine's own files, network and processes stay as they are.
# Exit 77: this machine cannot run a site (not root, a package is missing); the reason is printed.
set -euo pipefail
# The site's users must be able to read what is made for them.
umask 022

self=$(readlink -f "${BASH_SOURCE[0]}")
here=$(dirname "$self")
all_users=(alice bob carol dave erin frank grace heidi ivan judy
  kate leo mallory nina oscar peggy quinn rupert sybil trent)

cannot() { printf 'site: skipped: %s\n' "$*" >&2; exit 77; }
fail() { printf 'site: %s\n' "$*" >&2; exit 1; }
usage() { sed -n '2,30s/^# \{0,1\}//p' "$self" >&2; exit 2; }

require_machine() {
  local command said
  [ "$(id -u)" = 0 ] || cannot "namespaces, mounts and other users need root"
  for command in ip nsenter setpriv ssh-keygen unshare /usr/sbin/sshd "$@"; do
    command -v "$command" >/dev/null ||
      cannot "$command is missing; run packaging/install-deps.sh test"
  done
  said=$(unshare -m -n -p -f true 2>&1) || cannot "this root may not make namespaces ($said)"
}

# Field 22 of /proc/PID/stat; with it a recorded pid cannot be mistaken for a later process.
started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# alive FILE: prints the pid that FILE records, when that very process still runs.
alive() {
  local pid start
  read -r pid start 2>/dev/null <"$1" || return 1
  [ "$(started_at "$pid")" = "$start" ] || return 1
  ! grep -q '^[0-9]* (.*) Z' "/proc/$pid/stat" 2>/dev/null || return 1
  echo "$pid"
}

record() { echo "$2 $(started_at "$2")" >"$1"; }

wait_for() {  # wait_for SECONDS COMMAND...
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.01
  done
}

in_site() { nsenter -t "$init" -m -p -- "$@"; }

# ---------------------------------------------------------------- up

# No route but the default one leads there, so no machine that somebody needs is hidden.
network_is_free() {
  local net=$1
  [ -z "$(ip -4 route show table all to root "$net.0/24" 2>/dev/null)" ] &&
    ! ip -4 route show table all to match "$net.10" 2>/dev/null | grep -qv '^default'
}

# Creating the link claims the network: the name can exist only once on this machine.
claim_network() {
  local net candidates=("$@")
  for net in "${candidates[@]}"; do
    if network_is_free "$net" &&
      ip link add "site$net" type veth peer name "p$net" 2>/dev/null; then
      network=$net
      echo "site$net" >"$dir/uplink"
      # No route and no neighbour of the real network can come to depend on it: one address.
      ip addr add "$net.2/24" dev "site$net" && ip link set "site$net" up
      return
    fi
  done
  return 1
}

choose_network() {
  local candidates=() n
  if [ -z "$uplink" ]; then
    network=${network:-10.77.0}
    return
  fi
  if [ -n "$network" ]; then
    candidates=("$network")
  else
    # 198.18.0.0/15 is set aside for tests of network devices (RFC 2544).
    for n in {0..255}; do candidates+=("198.18.$n" "10.77.$n"); done
  fi
  claim_network "${candidates[@]}" || fail "no free network for the uplink"
}

plug_uplink() {
  [ -n "$uplink" ] || return 0
  ip link set "p$network" netns "$init" name uplink
  nsenter -t "$init" -n ip link set uplink master br0 up
}

parse_up_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --net) network=$2; shift ;;
      --users) user_count=$2; shift ;;
      --nodes) node_count=$2; shift ;;
      --cpus) cpus=$2; shift ;;
      --wan) wan=$2; shift ;;
      --owner) owner=$2; shift ;;
      --bind) binds+=("$2"); shift ;;
      --uplink) uplink=1 ;;
      --job-ssh) job_ssh=1 ;;
      --no-slurm) slurm='' ;;
      *) fail "unknown option $1" ;;
    esac
    shift
  done
  [[ $user_count =~ ^([1-9]|1[0-9]|20)$ ]] || fail "--users takes 1 to 20"
  [[ $node_count =~ ^[1-6]$ ]] || fail "--nodes takes 1 to 6"
  [[ $cpus =~ ^([1-9]|[1-5][0-9]|6[0-4])$ ]] || fail "--cpus takes 1 to 64"
}

# The scripts are copied, because a node's own /tmp may hide the place they came from.
prepare_directory() {
  local old
  for old in etc home keys slurm log nodes run; do rm -rf "${dir:?}/$old"; done
  mkdir -p "$dir"/{bin,etc,home,keys,log,nodes,run,slurm/state,support}
  chmod 755 "$dir"
  cp "$here/site_node.sh" "$here/slurm.conf.in" "$dir/support/"
  if [ -n "$wan" ]; then
    cp "${HPC_WAN_TOOL:?names the program wan of tests/support for --wan}" "$dir/support/wan"
  fi
  {
    printf 'net=%q wan=%q job_ssh=%q slurm=%q node_count=%q cpus=%q\n' \
      "$network" "$wan" "$job_ssh" "$slurm" "$node_count" "$cpus"
    printf 'users=(%s)\n' "${all_users[*]:0:user_count}"
    printf 'binds=('
    [ ${#binds[@]} = 0 ] || printf ' %q' "${binds[@]}"
    printf ' )\n'
  } >"$dir/support/settings"
}

up_failed() {
  local file
  for file in "$dir"/log/*; do
    [ -s "$file" ] || continue
    printf '== %s\n' "$file"; tail -n 15 "$file"
  done >&2
  down
  fail "the site did not come up within 30 s"
}

# A test that is killed cannot clean up; this process does it then. It gets a group of its own,
# with which down ends it and the process that it waits for.
watch_owner() {
  [ -n "$owner" ] || return 0
  setsid "$self" _watch "$dir" "$owner" </dev/null >/dev/null 2>&1 &
  record "$dir/watcher" $!
}

outlive_owner() {
  tail --pid="$1" -f /dev/null
  rm -f "$dir/watcher"
  down
  rm -rf "$dir"
}

is_ready_or_dead() { [ -e "$dir/run/ready" ] || ! alive "$dir/parent" >/dev/null; }

up() {
  local network='' user_count=3 node_count=2 cpus=8 wan='' job_ssh='' slurm=1 uplink='' owner='' binds=() init parent
  parse_up_options "$@"
  require_machine
  [ -z "$slurm" ] || require_machine munged slurmctld slurmd
  ! alive "$dir/init" >/dev/null || fail "a site already runs in $dir"
  down
  mkdir -p "$dir"
  trap 'down; exit 130' INT TERM HUP
  choose_network
  prepare_directory
  setsid unshare -m -u -p -n -f --kill-child=KILL --mount-proc \
    "$dir/support/site_node.sh" init "$dir" </dev/null >>"$dir/log/boot" 2>&1 &
  parent=$!
  record "$dir/parent" "$parent"
  watch_owner
  # Known before ready, so that an early end can be cleaned up too.
  # shellcheck disable=SC2016  # expanded by the inner shell, each time anew
  wait_for 10 bash -c '[ -n "$(pgrep -P "$1")" ]' _ "$parent" || up_failed
  init=$(pgrep -P "$parent")
  record "$dir/init" "$init"
  readlink "/proc/$init/ns/pid" >"$dir/pid_namespace"
  wait_for 30 is_ready_or_dead || up_failed
  [ -e "$dir/run/ready" ] || up_failed
  plug_uplink
  trap - INT TERM HUP
}

# ---------------------------------------------------------------- down

is_gone() { ! alive "$1" >/dev/null; }

# When the first process of the pid namespace dies, the kernel kills all others, and the mounts
# and the network go with them. Its parent ends by itself, unless it never had a child.
down() {
  local pid
  if pid=$(alive "$dir/watcher"); then kill -TERM -- "-$pid" 2>/dev/null || true; fi
  if pid=$(alive "$dir/init"); then kill -KILL "$pid" 2>/dev/null || true; fi
  wait_for 10 is_gone "$dir/init" || fail "the site's first process does not die"
  if ! wait_for 2 is_gone "$dir/parent" && pid=$(alive "$dir/parent"); then
    kill -KILL "$pid" 2>/dev/null || true
    wait_for 5 is_gone "$dir/parent" || fail "process $pid does not die"
  fi
  if [ -s "$dir/uplink" ]; then ip link del "$(<"$dir/uplink")" 2>/dev/null || true; fi
  rm -f "$dir"/{init,parent,uplink,watcher,run/ready}
}

leftovers() {
  local found='' namespace entry
  if namespace=$(cat "$dir/pid_namespace" 2>/dev/null); then
    for entry in /proc/[0-9]*; do
      [ "$(readlink "$entry/ns/pid" 2>/dev/null)" = "$namespace" ] || continue
      echo "process ${entry#/proc/}: $(tr '\0' ' ' <"$entry/cmdline")"
      found=1
    done
  fi
  if grep -F " $dir" /proc/self/mountinfo; then found=1; fi
  if [ -s "$dir/uplink" ] && ip -brief link show "$(<"$dir/uplink")" 2>/dev/null; then found=1; fi
  [ -z "$found" ]
}

# ---------------------------------------------------------------- verbs on a running site

with_site() { init=$(alive "$dir/init") || fail "no site runs in $dir"; }

run_on_node() {
  local where=$1 node user=''
  shift
  node=${where#*@}
  [ "$node" = "$where" ] || user=${where%%@*}
  exec nsenter -t "$init" -m -p -- /mnt/support/site_node.sh exec "$node" "$user" "$@"
}

# The two first processes' network namespaces are those of the bridges; web's own is a named one.
join() {
  local other other_net
  other=$(alive "$(readlink -f "$1")/init") || fail "no site runs in $1"
  other_net=$(sed -n 's/^\([0-9.]*\)[.][0-9]* login$/\1/p' "$1/etc/hosts")
  [ "$other_net.10" != "$(sed -n 's/^\([0-9.]*\) login$/\1/p' "$dir/etc/hosts")" ] ||
    fail "both sites have the network $other_net.0/24"
  nsenter -t "$init" -m -n ip link add "j$other_net" type veth \
    peer name "e$other_net" netns web
  nsenter -t "$init" -n ip link set "j$other_net" netns "$other" name join
  nsenter -t "$other" -n ip link set join master br0 up
  nsenter -t "$init" -m -n ip -n web addr add "$other_net.6/24" dev "e$other_net"
  nsenter -t "$init" -m -n ip -n web link set "e$other_net" up
}

main() {
  local verb=${1:-} init
  [ $# -ge 2 ] || usage
  mkdir -p "$(dirname "$2")"
  dir=$(readlink -f "$2")
  shift 2
  case $verb in
    up) up "$@" ;;
    down) down ;;
    _watch) outlive_owner "$@" ;;
    leftovers) leftovers ;;
    address) sed -n 's/^\([0-9.]*\) login$/\1/p' "$dir/etc/hosts" ;;
    exec) with_site; run_on_node "$@" ;;
    join) with_site; join "$@" ;;
    kill) with_site; in_site /mnt/support/site_node.sh kill "$1" ;;
    cut) with_site; nsenter -t "$init" -n ip link set "v-$1" down ;;
    heal) with_site; nsenter -t "$init" -n ip link set "v-$1" up ;;
    off)
      with_site
      nsenter -t "$init" -n ip link set "v-$1" down
      in_site /mnt/support/site_node.sh kill "$1"
      ;;
    start)
      with_site
      rm -f "$dir/run/up.$1"
      setsid nsenter -t "$init" -m -n -p /mnt/support/site_node.sh boot "$1" \
        </dev/null >>"$dir/log/boot" 2>&1 &
      wait_for 10 test -e "$dir/run/up.$1" || fail "node $1 did not boot"
      ;;
    *) usage ;;
  esac
}

main "$@"
