#!/bin/bash
# as-user.sh [--undelegated] COMMAND [ARGUMENT...]   runs a command as an ordinary user without privileges
# In plain mode the command gets a delegated subtree, unless --undelegated is given. With systemd the user's own systemd is running.
here=/run/proc_box-vm
uid=7000
delegated=yes
[ "$1" = --undelegated ] && { delegated=; shift; }

if [ "$(<$here/mode)" = systemd ]; then
  systemctl start user@$uid.service || exit 1
  export XDG_RUNTIME_DIR=/run/user/$uid DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$uid/bus
else
  # Each command gets its own subtree: cgroup-v2.rst, "Delegation". The user may enable controllers and move processes in it, but
  # may not write the limits of the subtree itself.
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
