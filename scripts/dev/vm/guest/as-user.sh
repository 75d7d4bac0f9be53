#!/bin/bash
# as-user.sh [--undelegated] COMMAND [ARGUMENT...]   runs a command as an ordinary user without any privilege
# Plain mode: in a delegated subtree, unless undelegated. systemd: with this user's own systemd running.
here=/run/proc_box-vm
uid=7000
delegated=yes
[ "$1" = --undelegated ] && { delegated=; shift; }

if [ "$(<$here/mode)" = systemd ]; then
  systemctl start user@$uid.service || exit 1
  export XDG_RUNTIME_DIR=/run/user/$uid DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$uid/bus
else
  # Each command gets a subtree of its own: cgroup-v2.rst, "Delegation". The user may write what hands out controllers
  # and processes, and no limit of the subtree itself.
  group=/sys/fs/cgroup/vm/user-$$
  mkdir $group
  if [ "$delegated" ]; then
    for controller in $(<$group/cgroup.controllers); do echo +$controller >$group/cgroup.subtree_control; done
    mkdir $group/command
    chown $uid:$uid $group $group/command
    for dir in $group $group/command; do chown $uid:$uid $dir/cgroup.{procs,threads,subtree_control}; done
    group=$group/command
  fi
  echo 0 >$group/cgroup.procs
fi
export HOME=$here/home USER=pboxuser
exec setpriv --reuid $uid --regid $uid --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
