#!/bin/bash
# demo.sh [--check] [--no-slurm]: the whole path on your own screen, in one command.
#   Builds the two programs, starts a throw-away SLURM site in namespaces, submits a job that runs
#   hpc-proxy and Live Server, connects to it, and prints the address for your browser. Ctrl-C
#   ends it and leaves nothing behind.
#   --check     fetches the page and a live reload through the whole path, prints both, and ends
#   --no-slurm  an sshd of your own on this machine instead of the site; needs no root
set -euo pipefail
umask 022

top=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
support=$top/tests/support
# shellcheck source=packaging/common.sh
. "$top/packaging/common.sh"

check='' use_slurm=1 dir='' pids=() manager='' made_run_sshd=''

say() { printf '%s\n' "$*"; }
step() { printf '%s/5  %s\n' "$1" "$2"; }

# Everything that could tell why, then the reason as the last line.
fail() {
  local file
  if [ -n "$dir" ]; then
    for file in "$dir"/*.log "$dir"/site/log/* "$dir"/site/home/alice/*/*.out; do
      [ -s "$file" ] || continue
      printf '\n==> %s\n' "${file#"$dir/"}"
      tail -n 25 "$file"
    done >&2
  fi
  printf '\ndemo: %s\n' "$*" >&2
  exit 1
}

wait_for() {  # wait_for SECONDS COMMAND...
  local deadline=$((SECONDS + $1))
  shift
  until "$@" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.05
  done
}

cleanup() {
  local pid status=$?
  trap '' INT TERM HUP
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do
    wait_for 12 is_gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
  done
  if [ -n "$dir" ] && [ -d "$dir/site" ]; then
    "$support/site.sh" down "$dir/site" || true
    "$support/site.sh" leftovers "$dir/site" || say "demo: the above is still there" >&2
  fi
  [ -z "$made_run_sshd" ] || rmdir /run/sshd 2>/dev/null || true
  [ -z "$dir" ] || rm -rf "$dir"
  exit "$status"
}

is_gone() { ! kill -0 "$1" 2>/dev/null; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The port itself when nobody has it, else a free one.
free_port() {
  if [ -n "$1" ] && ! answers "$1"; then echo "$1"; return; fi
  /usr/bin/python3 -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])'
}

# ---------------------------------------------------------------- the five steps

install_missing() {
  local list=test
  [ -n "$use_slurm" ] || list=demo
  step 1 "installing what is missing"
  if [ ! -e /etc/debian_version ] && [ -z "$use_slurm" ]; then
    as_owner "$support/apps.sh" install >>"$dir/install.log" 2>&1 || fail "npm failed"
  else
    "$top/packaging/install-deps.sh" "$list" >>"$dir/install.log" 2>&1 ||
      fail "packages are missing: run packaging/install-deps.sh $list as root"
  fi
}

build() {
  step 2 "building hpc-proxy and hpc-manager (build/release)"
  cd "$top"
  {
    as_owner cmake --preset release &&
      as_owner cmake --build --preset release --target hpc-proxy hpc-manager -j "$(nproc)"
  } >"$dir/build.log" 2>&1 || fail "the build failed"
  install -m 755 "$top/build/release/manager/hpc-manager" "$dir/hpc-manager"
}

# The pages belong to the person at the screen, who is to edit them; the job only reads them.
write_page() {
  page=$dir/pages/index.html
  mkdir -p "$dir/pages"
  cat >"$page" <<'END'
<!DOCTYPE html>
<html>
<head><title>hpc-proxy demo</title></head>
<body><h1>Hello from Live Server</h1>
</body>
</html>
END
  chown -R "$person" "$dir/pages"
}

start_site() {
  local site=$dir/site node
  step 3 "starting a SLURM site: login node, compute nodes c1 and c2"
  install -D -m 755 "$top/build/release/node-proxy/hpc-proxy" "$site/bin/hpc-proxy"
  # A Node.js in somebody's home is out of reach for the site's users; a copy is not.
  node=$(readlink -f "$(command -v node)")
  case $node in /usr/*) ;; *) install -m 755 "$node" "$site/bin/node" ;; esac
  # A copy, because a checkout made under a strict umask is closed to the site's users.
  cp -r "$top/slurm-scripts" "$dir/scripts"
  chmod -R a+rX "$dir/scripts"
  "$support/site.sh" up "$site" --uplink --owner $$ --bind "$top/build/apps=apps" \
    --bind "$dir/scripts=scripts" --bind "$dir/pages=pages" 2>"$dir/site.log" ||
    fail "the site did not start"
  ssh_host=$("$support/site.sh" address "$site")
  ssh_user=alice ssh_port=22 app_port=5500 key=$site/keys/alice known_hosts=$site/known_hosts
}

has_record() { compgen -G "$1/.hpc-proxy/jobs/*.json" >/dev/null; }

submit_job() {
  local job where
  job=$("$support/site.sh" exec "$dir/site" alice@login sh -c '
    cp -r /mnt/scripts job && cd job && sbatch --parsable --time=12:00:00 plain.sbatch \
      live-server --host=127.0.0.1 --port=5500 --no-browser /mnt/pages' \
    2>"$dir/sbatch.log") || fail "sbatch refused the job"
  wait_for 30 has_record "$dir/site/home/alice" ||
    fail "hpc-proxy in job $job did not start within 30 s"
  where=$("$support/site.sh" exec "$dir/site" alice@login squeue -h -j "$job" -o %N)
  step 4 "alice's job $job runs hpc-proxy and Live Server 5500 on node $where"
}

start_own_sshd() {
  local home=$dir/home
  step 3 "starting an sshd of your own on 127.0.0.1 (no SLURM)"
  ssh_host=127.0.0.1 ssh_user=$(id -un) ssh_port=$(free_port '')
  key=$dir/key known_hosts=$dir/known_hosts
  ssh-keygen -q -t ed25519 -N '' -C demo -f "$key"
  ssh-keygen -q -t ed25519 -N '' -C demo -f "$dir/host_key"
  echo "[127.0.0.1]:$ssh_port $(cut -d' ' -f1,2 "$dir/host_key.pub")" >"$known_hosts"
  mkdir -m 700 "$home"
  # HOME: the demo's records must not mix with those of jobs that really run.
  cat >"$dir/sshd_config" <<END
Port $ssh_port
ListenAddress 127.0.0.1
HostKey $dir/host_key
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile $key.pub
SetEnv HOME=$home
END
  if [ "$(id -u)" = 0 ] && [ ! -d /run/sshd ]; then mkdir /run/sshd; made_run_sshd=1; fi
  /usr/sbin/sshd -D -E "$dir/sshd.log" -f "$dir/sshd_config" &
  pids+=($!)
  wait_for 10 answers "$ssh_port" || fail "sshd does not listen"
}

start_app_here() {
  app_port=$(free_port 5500)
  "$support/apps.sh" live "$dir/pages" "$app_port" >"$dir/live-server.log" 2>&1 &
  pids+=($!)
  HOME=$dir/home "$top/build/release/node-proxy/hpc-proxy" --port 0 >"$dir/hpc-proxy.log" 2>&1 &
  pids+=($!)
  wait_for 10 has_record "$dir/home" || fail "hpc-proxy did not start"
  step 4 "hpc-proxy and Live Server $app_port run on this machine"
}

# As the person at the screen: the local port opens for processes of this uid only.
as_person() {
  if [ "$person" != "$(id -u)" ]; then
    exec setpriv --pdeathsig TERM --reuid "$person" --regid "${SUDO_GID:-$person}" --init-groups \
      env -u SSH_AUTH_SOCK "HOME=$(getent passwd "$person" | cut -d: -f6)" "$@"
  fi
  exec setpriv --pdeathsig TERM env -u SSH_AUTH_SOCK "$@"
}

connected() { [ -s "$dir/url" ] || is_gone "$manager"; }

connect() {
  local port
  port=$(free_port 9000)
  install -m 600 -o "$person" "$key" "$dir/person_key"
  # Your own ssh settings are left out: they are about your real clusters.
  (as_person "$dir/hpc-manager" connect "$ssh_user@$ssh_host:$ssh_port" --port "$port" \
    --identity "$dir/person_key" --known-hosts "$known_hosts" --ssh-config /dev/null) \
    </dev/null >"$dir/url" 2>"$dir/hpc-manager.log" &
  manager=$!
  pids+=("$manager")
  wait_for 30 connected || fail "hpc-manager did not connect within 30 s"
  ! is_gone "$manager" || fail "hpc-manager ended"
  url=$(head -n 1 "$dir/url")
  step 5 "hpc-manager connect $ssh_user@$ssh_host is ready"
}

check_page() {
  say
  (as_person /usr/bin/python3 "$support/live_reload.py" "$url" "$page") 2>"$dir/check.log" ||
    fail "the page or the live reload did not come through"
  say
  say "demo: ok"
}

parse_options() {
  local option
  for option; do
    case $option in
      --check) check=1 ;;
      --no-slurm) use_slurm='' ;;
      -h | --help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
      *) say "demo: unknown option $option (--check, --no-slurm)" >&2; exit 2 ;;
    esac
  done
  [ -z "$use_slurm" ] || require_namespaces
}

# Said before minutes are spent on packages and a build.
require_namespaces() {
  local said
  if [ "$(id -u)" != 0 ]; then
    cat >&2 <<END
demo: a SLURM site needs root, for namespaces, users and two compute nodes:
        sudo $top/packaging/demo.sh ${check:+--check}
      Without root, the same path through an sshd of your own, without SLURM:
        $top/packaging/demo.sh --no-slurm ${check:+--check}
END
    exit 1
  fi
  if ! said=$(unshare -m -n -p -f true 2>&1); then
    cat >&2 <<END
demo: a SLURM site needs namespaces, and this root may not make them, as in a plain container or
      chroot ($said). The same path without SLURM:
        $top/packaging/demo.sh --no-slurm ${check:+--check}
END
    exit 1
  fi
}

main() {
  local ssh_host ssh_user ssh_port app_port key known_hosts page url person
  parse_options "$@"
  person=$(id -u)
  if [ "$person" = 0 ] && [ -n "$use_slurm" ]; then person=${SUDO_UID:-0}; fi
  trap cleanup EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  dir=$(mktemp -d "${TMPDIR:-/tmp}/hpc-demo.XXXXXX")
  chmod 755 "$dir"
  install_missing
  build
  write_page
  if [ -n "$use_slurm" ]; then
    start_site
    submit_job
  else
    start_own_sshd
    start_app_here
  fi
  connect
  url=${url%/}/port/$app_port/
  if [ -n "$check" ]; then
    check_page
    return
  fi
  say
  say "Open $url in your browser; edit $page and watch it reload."
  say "Ctrl-C ends everything."
  trap 'exit 0' INT
  wait "$manager" || true
  fail "hpc-manager ended"
}

main "$@"
