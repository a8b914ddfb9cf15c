#!/bin/bash
# install-deps.sh [build|demo|test|clang|heavy|bench]...: installs the Debian packages a task needs.
#   build  compile the two programs and their unit tests (the default)
#   demo   run ./packaging/demo.sh --no-slurm: sshd and a web application
#   test   run ./tests/run.sh and ./packaging/demo.sh: a SLURM site and a browser as well
#   clang  the presets clang and fuzz, and clang-tidy
#   heavy  large applications and other proxies, for the tests labelled heavy
#   bench  run ./tests/bench/run.sh: the proxies that stand beside ours, and the load
# All of them contain "build". Nothing missing: it says so and needs no root.
# No service is started, enabled or changed: while apt runs, policy-rc.d forbids it.
set -euo pipefail

# shellcheck source=packaging/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
policy=/usr/sbin/policy-rc.d
policy_saved=$policy.before-hpc-proxy
policy_mark='# Written by install-deps.sh of hpc-proxy; removed when it ends.'

build_packages=(
  ca-certificates cmake g++ git make pkg-config
  libcjson-dev libcli11-dev libexpected-dev libgmock-dev libgtest-dev libsodium-dev libsqlite3-dev
  libssh-dev libssl-dev libuv1-dev node-llhttp rapidjson-dev
)
demo_packages=(openssh-client openssh-server python3)
test_packages=(
  "${demo_packages[@]}" chromium clang-format csh curl file fish iproute2 jq munge passt procps
  shellcheck slirp4netns slurm-wlm tcsh varnish wget zsh
)
clang_packages=(clang clang-tidy libclang-rt-14-dev)
heavy_packages=(
  haproxy iputils-ping jupyter-notebook nginx python3-ipykernel r-cran-shiny wrk
)
bench_packages=(
  "${demo_packages[@]}" chromium curl haproxy iproute2 libbenchmark-dev nginx procps util-linux wrk
)

say() { printf 'install-deps: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

# The lists as one, without what is there already.
missing_packages() {
  local installed wanted=("$@")
  installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${wanted[@]}" 2>/dev/null |
    sed -n 's/^ii *//p' || true)
  printf '%s\n' "${wanted[@]}" | sort -u | grep -vxF -f <(printf '%s\n' "$installed" -) || true
}

# A machine may have Node.js from elsewhere, newer than Debian's: the command counts.
missing_node() {
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
}

# Every link that makes a service start at boot: what systemd and what System V init look at.
boot_links() {
  find /etc/systemd/system /etc/rc[2-5].d \( -name '*.service' -o -name '*.socket' \
    -o -name '*.timer' -o -name 'S[0-9]*' \) -type l 2>/dev/null | sort
}

# Packages enable their services when they are installed, and policy-rc.d has no say in it:
# the links that were not there before go again, in the way that upgrades respect.
disable_new_services() {
  local link name
  while read -r link; do
    name=$(basename "$link")
    case $link in
      /etc/rc?.d/*) update-rc.d "${name#S[0-9][0-9]}" disable || true ;;
      *) deb-systemd-helper disable "$name" || true ;;
    esac
  done < <(comm -13 <(printf '%s\n' "$boot_links_before") <(boot_links))
}

restore_policy() {
  if [ -e "$policy_saved" ] || [ -L "$policy_saved" ]; then
    mv -f "$policy_saved" "$policy"
  elif grep -qsF "$policy_mark" "$policy"; then
    rm -f "$policy"
  fi
}

put_services_back() {
  disable_new_services >/dev/null 2>&1
  restore_policy
}

# A run that was killed leaves its policy behind, and the one before it under the saved name:
# neither is saved again, so that the next run puts the right one back.
forbid_services() {
  boot_links_before=$(boot_links)
  trap put_services_back EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  if { [ -e "$policy" ] || [ -L "$policy" ]; } && [ ! -e "$policy_saved" ] &&
    ! grep -qsF "$policy_mark" "$policy"; then
    mv "$policy" "$policy_saved"
  fi
  rm -f "$policy"
  printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy"
  chmod 755 "$policy"
}

apt_install() {
  local apt=(apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -qq)
  # needrestart would restart running services whose libraries were upgraded on the way.
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  # A broken third-party list must not stop us: what we need comes from Debian itself.
  "${apt[@]}" update >&2 ||
    say "apt-get update reported errors; going on with the lists there are"
  "${apt[@]}" -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" >&2
}

main() {
  local wanted=("${build_packages[@]}") node_lists=() with_node='' list missing
  for list in "${@:-build}"; do
    case $list in
      build) ;;
      demo) wanted+=("${demo_packages[@]}"); node_lists+=(live) ;;
      test) wanted+=("${test_packages[@]}"); node_lists+=(live browser) ;;
      clang) wanted+=("${clang_packages[@]}") ;;
      heavy)
        wanted+=("${test_packages[@]}" "${heavy_packages[@]}")
        node_lists+=(live browser heavy)
        ;;
      bench) wanted+=("${bench_packages[@]}"); with_node=yes ;;
      -h | --help) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; return 0 ;;
      *) say "unknown list '$list' (build, demo, test, clang, heavy or bench)"; return 2 ;;
    esac
  done
  if [ ! -e /etc/debian_version ] || ! command -v dpkg-query >/dev/null; then
    fail "this is not Debian; install the equivalents of: ${wanted[*]}"
  fi
  if [ ${#node_lists[@]} != 0 ]; then with_node=yes; fi
  missing=$(missing_packages "${wanted[@]}"; [ -z "$with_node" ] || missing_node)
  if [ -n "$missing" ]; then
    missing=$(tr '\n' ' ' <<<"$missing")
    [ "$(id -u)" = 0 ] || fail "missing: $missing
install-deps: installing needs root: sudo $here/install-deps.sh $*"
    say "installing: $missing"
    forbid_services
    # shellcheck disable=SC2086  # package names hold no blanks; one word each is wanted
    apt_install $missing
  else
    say "all Debian packages of '${*:-build}' are there"
  fi
  [ ${#node_lists[@]} = 0 ] ||
    as_owner "$here/../tests/support/apps.sh" install "${node_lists[@]}"
}

main "$@"
