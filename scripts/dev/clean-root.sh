#!/bin/sh
# clean-root.sh [--outside] ROOT COMMAND...: runs a command in a Debian root of its own, with the kernel's file systems and control groups of
# this host, its own processes and no network. With --outside the command sees this host's root, and the other one at ROOT.
# test-package.mjs starts it below unshare(1).
set -e
outside=
[ "$1" != --outside ] || { outside=yes && shift; }
root=$1
shift
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
for group in /sys/fs/cgroup; do mount --rbind "$group" "$root$group" 2>/dev/null || :; done
mount --rbind /dev "$root/dev"
[ -z "$outside" ] || exec "$@"
exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
