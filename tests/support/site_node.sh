#!/bin/bash
# site_node.sh: the part of site.sh that runs inside the site's namespaces, from /mnt/support.
#   init DIR      first process of the site: files, munge, network, nodes
#   boot NODE     creates a node's network and starts it
#   node NODE     first process of a node: sshd and SLURM
#   kill NODE     ends all of the node's processes
#   exec NODE USER COMMAND...   USER may be empty: root
set -eu

root=/mnt
self=$root/support/site_node.sh
nodes=(web:5 login:10)  # and the compute nodes: c1:21, c2:22 ...
first_uid=20001
# What site.sh writes to /mnt/support/settings.
net='' wan='' job_ssh='' slurm='' node_count=2 cpus=8 users=() binds=()

load_settings() {
  local number
  # shellcheck source=/dev/null  # written by site.sh
  . "$root/support/settings"
  for ((number = 1; number <= node_count; number++)); do nodes+=("c$number:$((20 + number))"); done
  # Programs of the demo and the tests come first, as a module system would arrange it.
  path=$root/bin:$root/apps/node_modules/.bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
}

host_number() {
  local entry
  for entry in "${nodes[@]}"; do
    if [ "${entry%:*}" = "$1" ]; then echo "${entry#*:}"; return; fi
  done
  echo "no node $1" >&2
  return 1
}

wait_until() {  # wait_until COMMAND...: bounded by site.sh, which gives up after 30 s
  until "$@"; do sleep 0.01; done
}

# ---------------------------------------------------------------- files of the site

# Copies that are mounted over /etc: useradd would change the machine's own files.
make_users() {
  local file user uid=$first_uid
  for file in passwd group shadow; do cp "/etc/$file" "$root/etc/$file"; done
  for user in "${users[@]}"; do
    sed -i "/^$user:/d" "$root/etc/passwd" "$root/etc/group" "$root/etc/shadow"
    echo "$user:x:$uid:$uid::$root/home/$user:/bin/bash" >>"$root/etc/passwd"
    echo "$user:x:$uid:" >>"$root/etc/group"
    # '*' and not '!': sshd without PAM refuses keys of a locked account.
    echo "$user:*:19000:0:99999:7:::" >>"$root/etc/shadow"
    install -d -m 700 -o "$uid" -g "$uid" "$root/home/$user" "$root/home/$user/.ssh"
    ssh-keygen -q -t ed25519 -N '' -C "$user" -f "$root/keys/$user"
    install -m 600 -o "$uid" -g "$uid" "$root/keys/$user.pub" \
      "$root/home/$user/.ssh/authorized_keys"
    install -m 600 -o "$uid" -g "$uid" "$root/keys/$user" "$root/home/$user/.ssh/id_ed25519"
    uid=$((uid + 1))
  done
}

make_names() {
  local entry names=''
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
  for entry in "${nodes[@]}"; do
    echo "$net.${entry#*:} ${entry%:*}" >>"$root/etc/hosts"
    names+=${entry%:*},$net.${entry#*:},
  done
  # No name server: a query would only wait for its time-out.
  echo 'options timeout:1 attempts:1' >"$root/etc/resolv.conf"
  printf '%s: files\n' passwd group shadow hosts services protocols >"$root/etc/nsswitch.conf"
  ssh-keygen -q -t ed25519 -N '' -C site -f "$root/etc/host_key"
  echo "${names%,} $(cut -d' ' -f1,2 "$root/etc/host_key.pub")" >"$root/known_hosts"
  mkdir -p "$root/etc/ssh"
  cp "$root/known_hosts" "$root/etc/ssh/ssh_known_hosts"
}

make_slurm_conf() {
  local entry name all=''
  mkdir -p "$root/etc/slurm"
  {
    sed "s#@ROOT@#$root#g; s#@NET@#$net#g" "$root/support/slurm.conf.in"
    for entry in "${nodes[@]}"; do
      name=${entry%:*}
      [[ $name = c* ]] || continue
      echo "NodeName=$name NodeAddr=$net.${entry#*:} NodeHostname=$name CPUs=$cpus RealMemory=8000" \
        "State=UNKNOWN"
      all+=${all:+,}$name
    done
    echo "PartitionName=normal Nodes=$all Default=YES MaxTime=1-00:00:00 DefaultTime=00:10:00" \
      "DefMemPerCPU=100 State=UP"
  } >"$root/etc/slurm/slurm.conf"
  # slurmd wants a control group plugin even when nothing may use one, and looks for systemd and
  # mounts to choose it. Named here, with an empty place, it needs neither and touches no group.
  printf 'CgroupPlugin=cgroup/v1\nCgroupMountpoint=%s/run/cgroup\n' "$root" \
    >"$root/etc/slurm/cgroup.conf"
}

mount_files() {
  local name target entry
  for name in passwd group shadow hosts resolv.conf nsswitch.conf ssh ${slurm:+slurm}; do
    target=$(readlink -m "/etc/$name")
    # /etc/resolv.conf may lead into /run, which is new and empty here.
    case $target in /run/*) mkdir -p "$(dirname "$target")"; : >>"$target" ;; esac
    [ ! -e "$target" ] || mount --bind "$root/etc/$name" "$target"
  done
  for entry in "${binds[@]}"; do
    target=$root/${entry#*=}
    mkdir -p "$(dirname "$target")"
    if [ -d "${entry%%=*}" ]; then mkdir -p "$target"; else : >>"$target"; fi
    mount --bind "${entry%%=*}" "$target"
    mount -o remount,bind,ro "$target"
  done
  # Distributions let every user open it (0666); slirp4netns and pasta count on that.
  if [ -e /dev/net/tun ]; then
    [ -e "$root/etc/tun" ] || mknod -m 666 "$root/etc/tun" c 10 200
    mount --bind "$root/etc/tun" /dev/net/tun
  fi
}

start_munge() {
  dd if=/dev/urandom of="$root/etc/munge.key" bs=128 count=1 status=none
  chmod 400 "$root/etc/munge.key"
  mkdir -p "$root/run/munge" /run/munge
  chown munge "$root/etc/munge.key" "$root/run/munge" /run/munge
  chmod 755 /run/munge
  setpriv --reuid munge --regid munge --clear-groups munged --key-file "$root/etc/munge.key" \
    --socket /run/munge/munge.socket.2 --pid-file "$root/run/munge/pid" \
    --log-file "$root/run/munge/log" --seed-file "$root/run/munge/seed"
}

# ---------------------------------------------------------------- first process of the site

slurm_is_ready() { [ "$(sinfo -h -o '%D %T' 2>/dev/null)" = "$node_count idle" ]; }

# A pid namespace's first process must reap whatever is left to it.
reap_for_ever() {
  while :; do wait -n 2>/dev/null || sleep 1; done
}

init_site() {
  local entry
  mount --make-rprivate /
  mount --bind "$1" "$root"
  load_settings
  # Targets of links into the machine's /run are needed before it is covered.
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/netns /run/sshd
  make_users
  make_names
  [ -z "$slurm" ] || make_slurm_conf
  for entry in "${binds[@]}"; do
    [ -e "${entry%%=*}" ] || { echo "nothing to bind at ${entry%%=*}"; exit 1; }
  done
  mount_files
  [ -z "$slurm" ] || start_munge
  ip link set lo up
  ip link add br0 type bridge
  ip addr add "$net.1/24" dev br0
  ip link set br0 up
  for entry in "${nodes[@]}"; do "$self" boot "${entry%:*}" & done
  for entry in "${nodes[@]}"; do wait_until test -e "$root/run/up.${entry%:*}"; done
  [ -z "$slurm" ] || wait_until slurm_is_ready
  touch "$root/run/ready"
  reap_for_ever
}

# ---------------------------------------------------------------- nodes

connect_node() {
  local node=$1 number=$2 mac
  ip netns del "$node" 2>/dev/null || true
  ip link del "v-$node" 2>/dev/null || true
  ip netns add "$node"
  if [ "$node" = web ] && [ -n "$wan" ]; then
    # shellcheck disable=SC2086  # the line's figures are separate arguments
    "$root/support/wan" /run/netns/web eth0 /proc/1/ns/net v-web $wan >"$root/run/wan" &
    wait_until grep -q up "$root/run/wan"
  else
    # A fixed address: the neighbours' tables stay right when a node boots again.
    mac=02:00:00:4d:00:$(printf %02x "$number")
    ip link add "v-$node" type veth peer name eth0 address "$mac" netns "$node"
  fi
  ip link set "v-$node" master br0 up
  ip -n "$node" link set lo up
  ip -n "$node" addr add "$net.$number/24" dev eth0
  ip -n "$node" link set eth0 up
  ip -n "$node" route add default via "$net.1"
}

boot_node() {
  local node=$1 number
  load_settings
  number=$(host_number "$node")
  rm -f "$root/run/up.$node"
  connect_node "$node" "$number"
  nsenter --net="/run/netns/$node" unshare -u -m -p -f --kill-child=KILL --mount-proc \
    "$self" node "$node" &
  echo $! >"$root/run/pid.$node"
  wait || true
}

write_sshd_config() {
  cat <<END
Port 22
ListenAddress $net.$(host_number "$1")
HostKey $root/etc/host_key
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UseDNS no
MaxStartups 100:30:200
AllowTcpForwarding yes
PrintMotd no
SetEnv PATH=$path
Subsystem sftp internal-sftp
END
  # As pam_slurm_adopt does: a key counts only while its user has a job on this node.
  if [ -n "$job_ssh" ] && [ "$1" != login ]; then
    cat >"$root/support/keys_of_job_owner" <<END
#!/bin/sh
[ -z "\$(squeue -h -t R -w "\$(hostname)" -u "\$1" -o %i)" ] ||
  cat "$root/home/\$1/.ssh/authorized_keys"
END
    chmod 755 "$root/support/keys_of_job_owner"
    printf 'AuthorizedKeysFile none\nAuthorizedKeysCommand %s %%u\n' \
      "$root/support/keys_of_job_owner"
    echo 'AuthorizedKeysCommandUser root'
  fi
}

sshd_listens() { [ -n "$(ss -Hltn 'sport = :22')" ]; }

run_node() {
  local node=$1
  cd /
  load_settings
  export PATH=$path
  hostname "$node"
  mount --make-rprivate /
  if [ "$node" != web ]; then
    mkdir -p "$root/nodes/$node/tmp"
    chmod 1777 "$root/nodes/$node/tmp"
    mount --bind "$root/nodes/$node/tmp" /tmp
    write_sshd_config "$node" >"$root/etc/sshd_config.$node"
    /usr/sbin/sshd -D -E "$root/log/sshd.$node" -f "$root/etc/sshd_config.$node" &
    # Up means that the first login attempt is not refused.
    wait_until sshd_listens
  fi
  if [ -n "$slurm" ]; then
    case $node in
      login) slurmctld -D -i & ;;
      c*) mkdir -p "$root/slurm/spool.$node"; slurmd -D -N "$node" & ;;
    esac
  fi
  touch "$root/run/up.$node"
  reap_for_ever
}

node_init() { pgrep -P "$(cat "$root/run/pid.$1")"; }

exec_on_node() {
  local node=$1 user=$2 target
  shift 2
  load_settings
  target=$(node_init "$node")
  if [ -z "$user" ]; then
    exec nsenter -t "$target" -m -u -n -p -- env "PATH=$path" "$@"
  fi
  # shellcheck disable=SC2016  # expanded as the user
  exec nsenter -t "$target" -m -u -n -p -- setpriv --reuid "$user" --regid "$user" \
    --init-groups env -i "PATH=$path" "HOME=$root/home/$user" "USER=$user" "LOGNAME=$user" \
    SHELL=/bin/bash LANG=C.UTF-8 sh -c 'cd && exec "$@"' sh "$@"
}

verb=$1
shift
case $verb in
  init) init_site "$@" ;;
  boot) boot_node "$@" ;;
  node) run_node "$@" ;;
  kill) kill -KILL "$(node_init "$1")" ;;
  exec) exec_on_node "$@" ;;
esac
