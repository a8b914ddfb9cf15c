# shellcheck shell=bash
# hpc-proxy.sh: starts hpc-proxy for this job; source it in a job script:
#
#   . "${HPC_PROXY_SCRIPTS:-$SLURM_SUBMIT_DIR}/hpc-proxy.sh" || exit
#
# Afterwards HPC_PROXY_PORT, HPC_PROXY_URL_TEMPLATE and VSCODE_PROXY_URI are set, and hpc-proxy
# serves until the job ends. HPC_PROXY_START=wait takes the way of older versions of hpc-proxy.

# --daemon returns when hpc-proxy listens, and ties it to this job: no waiting, no stray process.
hpc_proxy_start_daemon() {
  local settings
  hpc-proxy --daemon || return
  settings=$(hpc-proxy env) || return
  eval "$settings"
}

# What job scripts did before there was --daemon: start, then wait for the file with the port.
hpc_proxy_start_wait() {
  mkdir -p ~/.hpc-proxy
  # The home is the same on every node: a file that another job left must not end the wait.
  rm -f ~/.hpc-proxy/port
  hpc-proxy --port 0 --verbose &
  for _ in {1..10}; do
    [ -f ~/.hpc-proxy/port ] && break
    sleep 0.5
  done
  if [ ! -f ~/.hpc-proxy/port ]; then
    echo "hpc-proxy.sh: hpc-proxy did not start within 5 s; its messages are above" >&2
    return 1
  fi
  HPC_PROXY_PORT=$(cat ~/.hpc-proxy/port)
  HPC_PROXY_URL_TEMPLATE=${HPC_PROXY_URL_TEMPLATE:-/port/{port\}/}
  VSCODE_PROXY_URI=${HPC_PROXY_URL_TEMPLATE//\{port\}/\{\{port\}\}}
  export HPC_PROXY_PORT HPC_PROXY_URL_TEMPLATE VSCODE_PROXY_URI
}

hpc_proxy_start() {
  local status=0
  if ! command -v hpc-proxy >/dev/null; then
    echo "hpc-proxy.sh: hpc-proxy is not in PATH; load its module or copy it to ~/bin" >&2
    return 1
  fi
  if [ "${HPC_PROXY_START:-daemon}" = wait ]; then
    hpc_proxy_start_wait
    return
  fi
  hpc_proxy_start_daemon || status=$?
  # 2: this hpc-proxy does not know the flag, so it is an old one.
  if [ "$status" = 2 ]; then
    status=0
    hpc_proxy_start_wait || status=$?
  fi
  return "$status"
}

hpc_proxy_start
