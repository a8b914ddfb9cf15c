# shellcheck shell=bash
# hpc-proxy.sh: starts hpc-proxy for this job; source it in a job script (bash):
#
#   . "${HPC_PROXY_SCRIPTS:-$SLURM_SUBMIT_DIR}/hpc-proxy.sh" || exit
#   hpc_run my-web-app --port 5500
#
# Afterwards HPC_PROXY_PORT, HPC_PROXY_URL_TEMPLATE and VSCODE_PROXY_URI are set, and hpc-proxy
# serves until the job ends. hpc_run waits for the application, passes SIGTERM on to it, and SLURM's
# warning before the time limit (#SBATCH --signal=B:USR1@60) to hpc-proxy.
#
# For an IDE, set hpc_ide before: "app" where it is to see paths without the prefix under which the
# browser finds it, "absapp" where it is to see them with it. Afterwards
#   HPC_SESSION_DIR  is a directory of this session, which no other user can open (0700),
#   HPC_IDE_SOCKET   is the path of a Unix socket on which the IDE must listen, and nowhere else:
#                    a TCP port is open to everybody on the node,
#   hpc_socket_dir   is its directory, where names of hpc_socket_bytes (set it before, if the IDE
#                    makes more sockets; default 8) fit into the path of a socket,
#   HPC_IDE_PREFIX   is that prefix: "/user/alice/main/jupyter", or "/absapp".
#
# ~/.hpc-proxy/setup.sh, if it is there, is read first: the place to load modules.
# HPC_PROXY_START=wait takes the way of older versions of hpc-proxy.
#
# HPC_PROXY_PRIVATE=loopback (netns, auto), set in the job's environment or in setup.sh, gives the
# application ports of its own: hpc_run starts it with "hpc-proxy run", and no other user of the node
# is in the way of its port 5500. Until then no hpc-proxy runs, and HPC_PROXY_PORT is not set.
# off is the default: the node's ports, with those of everybody.

# What counts where HPC_PROXY_PRIVATE is not set, if the template has not said so before. A site may
# write loopback, netns or auto here.
: "${hpc_private_default:=off}"

# A longer path is no address of a Unix socket (unix(7)).
hpc_socket_path_max=107

hpc_say() { printf 'hpc-proxy.sh: %s\n' "$*" >&2; }

# hpc_need PROGRAM: is it there? If not, says what to do.
hpc_need() {
  command -v "$1" >/dev/null && return
  hpc_say "$1 is not in PATH on $(hostname); load its module," \
    "in ~/.hpc-proxy/setup.sh for example (module load ${1##*/})"
  return 1
}

# ------------------------------------------------------------- the session and its directories

# A job submitted from the terminal of a session is no part of that session.
hpc_leave_other_session() {
  [ -n "${HPC_SESSION_JOB:-}" ] && [ "$HPC_SESSION_JOB" != "${SLURM_JOB_ID:-}" ] || return 0
  unset HPC_SESSION_ID HPC_SESSION_DIR HPC_SESSION_JOB HPC_PROXY_URL_TEMPLATE VSCODE_PROXY_URI
}

# Nor are its ports those of the run that it was submitted from: here nobody would look for them.
hpc_leave_other_run() {
  local library kept=
  [ -n "${HPC_PROXY_RUN:-}" ] && [[ $HPC_PROXY_RUN != "${SLURM_JOB_ID:-}"-* ]] || return 0
  for library in ${LD_PRELOAD//:/ }; do
    if [[ $library != */libhpc_ports.so ]]; then kept+=${kept:+:}$library; fi
  done
  unset HPC_PROXY_RUN HPC_PORTS_ADDRESS HPC_PORTS_SHARED LD_PRELOAD
  if [ -n "$kept" ]; then export LD_PRELOAD=$kept; fi
}

# Ours, not a link, and closed to everybody else.
hpc_is_private() {
  [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ] && [[ $(stat -c %a "$1") == *700 ]]
}

hpc_remove_directories() { rm -rf "${hpc_own_directories[@]}"; }

# hpc-manager has made the session's directory, and removes it; by hand it is the job's own.
hpc_make_session_dir() {
  if [ -z "${HPC_SESSION_DIR:-}" ]; then
    export HPC_SESSION_DIR=$HOME/.hpc-proxy/sessions/job-${SLURM_JOB_ID:-$$}
    hpc_own_directories+=("$HPC_SESSION_DIR")
  fi
  (umask 077 && mkdir -p "$HPC_SESSION_DIR" && chmod 700 "$HPC_SESSION_DIR")
  hpc_is_private "$HPC_SESSION_DIR" && return
  hpc_say "$HPC_SESSION_DIR cannot be made, or not closed to other users"
  return 1
}

# hpc_find_socket_dir BYTES: sets hpc_socket_dir, a private directory where names of up to so many
# bytes fit into the path of a socket. In most homes it is the session's own.
hpc_find_socket_dir() {
  local LC_ALL=C
  hpc_socket_dir=$HPC_SESSION_DIR
  [ $((${#hpc_socket_dir} + 1 + $1)) -gt "$hpc_socket_path_max" ] || return 0
  if hpc_socket_dir=$(mktemp -d /tmp/hpc-XXXXXXXXXX) && hpc_is_private "$hpc_socket_dir"; then
    hpc_own_directories+=("$hpc_socket_dir")
    return
  fi
  hpc_say "the path of $HPC_SESSION_DIR is too long for a Unix socket, and there is no room in /tmp"
  return 1
}

# "https://HOST/user/U/C/I/port/{port}/" -> "/user/U/C/I"; by hand "/app" or "/absapp".
hpc_find_ide_prefix() {
  local url=${HPC_PROXY_URL_TEMPLATE:-} origin=http://127.0.0.1:9000
  HPC_IDE_PREFIX=/$hpc_ide
  if [[ $url =~ ^(https?://[^/]+)(/.*)/port/\{port\}/?$ ]]; then
    origin=${BASH_REMATCH[1]} HPC_IDE_PREFIX=${BASH_REMATCH[2]}
  fi
  hpc_ide_url=$origin$HPC_IDE_PREFIX/
}

hpc_prepare_ide() {
  hpc_own_directories=()
  trap hpc_remove_directories EXIT
  hpc_make_session_dir || return
  hpc_find_socket_dir "${hpc_socket_bytes:-8}" || return
  HPC_IDE_SOCKET=$hpc_socket_dir/ide.sock
  # One that a killed job left, in a home that all nodes share, answers no more.
  rm -f "$HPC_IDE_SOCKET"
  hpc_find_ide_prefix
  hpc_proxy_options+=(--app "unix:$HPC_IDE_SOCKET")
  if [ "$hpc_ide" = absapp ]; then hpc_proxy_options+=(--keep-prefix); fi
}

# ------------------------------------------------------------------------------- hpc-proxy

hpc_export_templates() {
  HPC_PROXY_URL_TEMPLATE=${HPC_PROXY_URL_TEMPLATE:-/port/{port\}/}
  VSCODE_PROXY_URI=${HPC_PROXY_URL_TEMPLATE//\{port\}/\{\{port\}\}}
  export HPC_PROXY_URL_TEMPLATE VSCODE_PROXY_URI
}

# --daemon returns when hpc-proxy listens, and ties it to this job: no waiting, no stray process.
hpc_proxy_start_daemon() {
  local settings
  hpc-proxy --daemon "${hpc_proxy_options[@]}" || return
  settings=$(hpc-proxy env) || return
  eval "$settings"
}

# What job scripts did before there was --daemon: start, then wait for the file with the port.
hpc_proxy_start_wait() {
  if [ ${#hpc_proxy_options[@]} != 0 ]; then
    hpc_say "this hpc-proxy ($(command -v hpc-proxy)) is too old for IDEs; install a newer one"
    return 1
  fi
  mkdir -p ~/.hpc-proxy
  # The home is the same on every node: a file that another job left must not end the wait.
  rm -f ~/.hpc-proxy/port
  hpc-proxy --port 0 --verbose &
  hpc_proxy_pid=$!
  for _ in {1..10}; do
    [ -f ~/.hpc-proxy/port ] && break
    sleep 0.5
  done
  if [ ! -f ~/.hpc-proxy/port ]; then
    hpc_say "hpc-proxy did not start within 5 s; its messages are above"
    return 1
  fi
  HPC_PROXY_PORT=$(cat ~/.hpc-proxy/port)
  export HPC_PROXY_PORT
  hpc_export_templates
}

# SLURM's warning came to this shell: hpc-proxy shows it to the people, and everything goes on.
hpc_warn_of_walltime() {
  local pid=${hpc_proxy_pid:-}
  hpc_say "the job reaches its time limit soon; save your work"
  if [ "${hpc_private:-off}" != off ] && [ -z "$pid" ]; then
    # It does not listen yet; hpc_start_private tells it.
    hpc_warned=yes
    return
  fi
  if [ -z "$pid" ]; then
    pid=$(hpc-proxy status --json | sed -n 's/.*"pid":\([0-9][0-9]*\).*/\1/p')
  fi
  if [ -n "$pid" ]; then kill -USR1 "$pid"; fi
}

# Whoever asked for ports of the application's own does not get those of everybody instead.
hpc_find_private() {
  hpc_private=${hpc_private:-${HPC_PROXY_PRIVATE:-$hpc_private_default}}
  case $hpc_private in
    off) return ;;
    loopback | netns | auto) ;;
    *)
      hpc_say "HPC_PROXY_PRIVATE is '$hpc_private'; it can be off, loopback, netns or auto"
      return 1
      ;;
  esac
  hpc-proxy run --help >/dev/null 2>&1 && return
  hpc_say "HPC_PROXY_PRIVATE=$hpc_private asks for ports of the job's own, and this hpc-proxy" \
    "($(command -v hpc-proxy)) is too old for that; install a newer one, or set" \
    "HPC_PROXY_PRIVATE=off to share the node's ports with its other users"
  return 1
}

hpc_proxy_start() {
  local status=0
  # A shell that is told nothing else dies of the warning.
  trap hpc_warn_of_walltime USR1
  hpc_leave_other_session
  hpc_leave_other_run

  if [ -r ~/.hpc-proxy/setup.sh ]; then
    # shellcheck source=/dev/null
    . ~/.hpc-proxy/setup.sh
  fi
  if ! command -v hpc-proxy >/dev/null; then
    hpc_say "hpc-proxy is not in PATH on $(hostname); load its module or copy it to ~/bin"
    return 1
  fi
  hpc_find_private || return
  hpc_proxy_options=()
  if [ -n "${hpc_ide:-}" ]; then hpc_prepare_ide || return; fi
  if [ "$hpc_private" != off ]; then
    hpc_export_templates
    return
  fi
  if [ "${HPC_PROXY_START:-daemon}" = wait ]; then
    hpc_proxy_start_wait
    return
  fi
  hpc_proxy_start_daemon || status=$?
  # 2: this hpc-proxy does not know a flag, so it is an old one.
  if [ "$status" = 2 ]; then
    status=0
    hpc_proxy_start_wait || status=$?
  fi
  return "$status"
}

# ------------------------------------------------------------------------- the application

# Waits for the child's own end; a signal that this shell catches ends each wait early.
hpc_wait_for_child() {
  local status
  while true; do
    wait "$hpc_child"
    status=$?
    kill -0 "$hpc_child" 2>/dev/null || return "$status"
  done
}

hpc_wait_for_ide_socket() {
  local tenths=0
  until [ -S "$HPC_IDE_SOCKET" ] || ! kill -0 "$hpc_child" 2>/dev/null; do
    sleep 0.1
    tenths=$((tenths + 1))
    if [ "$tenths" = 600 ]; then hpc_say "$1 does not listen yet, after 60 s"; fi
  done
}

hpc_pass_on_term() { trap 'kill -TERM "$hpc_child" 2>/dev/null' TERM INT; }

# Starts the application inside hpc-proxy, and waits until that listens: a warning that came before
# would end it. hpc-proxy passes on what it is sent, but for the warning, and ends as the
# application does.
hpc_start_private() {
  local ready
  unset HPC_PROXY_PORT
  # A pipe without a name, open at both ends.
  exec {ready}<> <(:)
  hpc-proxy run --private "$hpc_private" --ready-fd "$ready" "${hpc_proxy_options[@]}" -- "$@" <&0 &
  hpc_child=$!
  hpc_pass_on_term
  until read -r -t 1 HPC_PROXY_PORT <&"$ready" || ! kill -0 "$hpc_child" 2>/dev/null; do :; done
  exec {ready}>&-
  [ -n "$HPC_PROXY_PORT" ] || return 0
  export HPC_PROXY_PORT
  hpc_proxy_pid=$hpc_child
  if [ -n "${hpc_warned:-}" ]; then kill -USR1 "$hpc_proxy_pid"; fi
}

# hpc_run COMMAND [ARGUMENT...]: runs it until it ends; its status. SIGTERM is passed on, so that it
# can save what is open: SLURM kills a while later.
hpc_run() {
  local status=0
  if [ "$hpc_private" = off ]; then
    "$@" <&0 &
    hpc_child=$!
    hpc_pass_on_term
  else
    hpc_start_private "$@"
  fi
  if [ -n "${hpc_ide:-}" ]; then
    hpc_wait_for_ide_socket "$1"
    if [ -S "$HPC_IDE_SOCKET" ]; then hpc_say "$1 listens; it is at $hpc_ide_url"; fi
  fi
  hpc_wait_for_child || status=$?
  if [ "$status" != 0 ]; then hpc_say "$1 ended with status $status"; fi
  return "$status"
}

hpc_proxy_start
