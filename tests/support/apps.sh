#!/bin/bash
# apps.sh install            installs the web applications of apps/package.json below build/apps
# apps.sh directory          prints where they are
# apps.sh live DIR PORT      Live Server with the pages of DIR on 127.0.0.1:PORT, in the foreground
# Needs no root. The versions are those of apps/package-lock.json; nothing is installed globally.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# In a test site this script and the modules stand elsewhere: HPC_APPS_DIR says where.
apps=${HPC_APPS_DIR:-$(cd "$here/../.." && pwd)/build/apps}

install_apps() {
  local stamp="$apps/.installed"
  if cmp -s "$here/apps/package-lock.json" "$stamp"; then return; fi
  command -v npm >/dev/null || {
    echo "apps: npm is missing; run: sudo packaging/install-deps.sh test" >&2
    return 1
  }
  echo "apps: installing Live Server below $apps" >&2
  # Readable for the users of the test site, whatever the umask of the person who builds.
  umask 022
  mkdir -p "$apps"
  cp "$here/apps/package.json" "$here/apps/package-lock.json" "$apps/"
  # No install scripts: none of these packages needs one, and they may run as root here.
  (cd "$apps" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
  cp "$here/apps/package-lock.json" "$stamp"
}

case ${1:-} in
  install) install_apps ;;
  directory) printf '%s\n' "$apps" ;;
  live)
    exec node "$apps/node_modules/live-server/live-server.js" \
      --host=127.0.0.1 --port="$3" --no-browser "$2"
    ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
