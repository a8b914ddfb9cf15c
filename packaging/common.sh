# shellcheck shell=bash
# common.sh: what install-deps.sh, demo.sh and tests/run.sh share. Sourced.

# Whoever builds under sudo wants to build without sudo later: what goes into their checkout
# belongs to them. Elsewhere, and without sudo, the command runs as it is.
as_owner() {
  local uid home
  uid=$(stat -c %u "${BASH_SOURCE[0]}")
  if [ "$(id -u)" != 0 ] || [ "$uid" = 0 ] || [ "$uid" != "${SUDO_UID:-}" ]; then
    "$@"
    return
  fi
  home=$(getent passwd "$uid" | cut -d: -f6)
  setpriv --reuid "$uid" --regid "${SUDO_GID:-$uid}" --init-groups env "HOME=$home" "$@"
}
