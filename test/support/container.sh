#!/bin/sh
# The outside of a container of the tests; every path that it mounts is in a mount namespace of its own (unshare --mount).
# usage: container.sh hold NAME [ROOT]   makes a root that is empty but for the machine's /usr, or that begins as ROOT, and keeps it until stdin ends
#        container.sh boot NAME [OPTION...]   becomes the systemd-nspawn that boots it, with these options besides
set -eu
action=$1
name=$2
shift 2
base=/run/systemd/nspawn

# Its own place in each cgroup hierarchy of systemd's and in those that limit memory and tasks, below the caller's.
groups() {
  while IFS=: read -r _ controllers own; do
    case $controllers in
    '') [ -d /sys/fs/cgroup/unified ] && hierarchy=unified || hierarchy= ;;
    name=systemd) hierarchy=systemd ;;
    memory | pids) hierarchy=$controllers ;;
    *) continue ;;
    esac
    parent=/sys/fs/cgroup/$hierarchy${own%/}
    [ ! -e "$parent/cgroup.procs" ] || echo "$parent/$name"
  done </proc/self/cgroup
}

hold() {
  # Ctrl-C goes to the test, whose end then ends stdin.
  trap '' HUP INT TERM
  # nspawn's own folder, so that its locks are gone with it too.
  mkdir -p $base
  mount -t tmpfs -o mode=755 notp-test $base
  cd $base
  mkdir root empty upper work upper-usr work-usr
  # An overlay also over nothing: systemd-creds takes no key of a root on tmpfs.
  mount -t overlay -o lowerdir="${1:-empty}",upperdir=upper,workdir=work notp-test root
  if [ $# = 0 ]; then
    mkdir root/usr
    mount -t overlay -o lowerdir=/usr,upperdir=upper-usr,workdir=work-usr notp-test root/usr
  fi
  for group in $(groups); do mkdir "$group"; done
  echo ready
  cat >/dev/null
  # nspawn and the container's first process, with which all others in there end.
  for group in $(groups); do
    find "$group" -name cgroup.procs -exec cat {} + | xargs -r kill -KILL 2>/dev/null || true
  done
  for group in $(groups); do
    timeout 10 sh -c 'while [ -d "$1" ]; do find "$1" -type d -delete 2>/dev/null || sleep 0.05; done' sh "$group"
  done
}

boot() {
  for group in $(groups); do echo $$ >"$group/cgroup.procs"; done
  exec systemd-nspawn --directory=$base/root --boot --machine="$name" --register=no --keep-unit --private-network \
    --link-journal=no --resolv-conf=off --timezone=off --console=pipe "$@"
}

"$action" "$@"
