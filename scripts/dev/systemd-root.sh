#!/bin/sh
# systemd-root.sh ROOT COMMAND...: boots the systemd of a Debian root and runs the command as a service. systemd is process 1 of
# namespaces of its own: it sees nothing of this host's processes, network and mounts, has one control group of its own, and cannot
# change the kernel's settings. Prints what the command prints, and exits with its status.
set -e
if [ "$1" != --inside ]; then
  root=$1
  unified=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
  [ -n "$unified" ] || { echo "not ok: systemd needs control groups v2, and this host has none" && exit 1; }
  group=$unified/proc_box-systemd.$$
  mkdir "$group"
  trap 'find "$group" -depth -type d -exec rmdir {} \;' EXIT
  # The namespace begins at the group of whoever makes it. All ends with this script.
  status=0
  sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh "$group" \
    setpriv --pdeathsig KILL unshare --mount --net --pid --uts --ipc --cgroup --fork --kill-child "$0" --inside "$@" >"$root.log" 2>&1 </dev/null || status=$?
  cat "$root/output" || { cat "$root.log" && exit 1; }
  exit $status
fi
shift
root=$1
shift

mount --make-rprivate /
ip link set lo up 2>/dev/null || :
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for folder in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs $folder; done
chmod 1777 tmp
for node in null zero full random urandom tty; do
  : >dev/$node
  mount --bind /dev/$node dev/$node
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm

# What has to do with hardware has nothing to do here.
for unit in systemd-udevd.service systemd-modules-load.service systemd-sysctl.service systemd-remount-fs.service getty.target console-getty.service \
  sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount \
  systemd-networkd.service systemd-timesyncd.service; do ln -sf /dev/null etc/systemd/system/$unit; done
words=''
for word; do words="$words \"$word\""; done
cat >etc/systemd/system/proc_box-test.service <<UNIT
[Unit]
After=basic.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
TimeoutStartSec=infinity
Environment=HOME=/root LANG=C.UTF-8
ExecStart=$words
StandardOutput=file:/output
StandardError=inherit
UNIT
mkdir old
pivot_root . old
umount -l old
exec env -i container=proc_box PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --unit=proc_box-test.service --show-status=0 --log-target=console
