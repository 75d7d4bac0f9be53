#!/bin/bash
# Still process 1, now on the real root. Mounts what an ordinary system has, and runs the command, directly or by systemd.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
here=/run/proc_box-vm
B=$here/busybox
mode=$(<$here/mode)

$B mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
$B ip link set lo up
for disk in /sys/block/vd*; do
  [ "$(<$disk/serial)" = swap ] || continue
  $B mkswap /dev/${disk##*/} >/dev/null
  $B swapon /dev/${disk##*/}
done
# The unprivileged user for as-user.sh.
echo "pboxuser:x:7000:7000::$here/home:/bin/sh" >>/etc/passwd
echo "pboxuser:x:7000:" >>/etc/group
echo "pboxuser:*:19000:0:99999:7:::" >>/etc/shadow
$B mkdir -m 700 $here/home
$B chown 7000:7000 $here/home

if [ "$mode" = systemd ]; then
  $B cp -a $here/systemd /run/
  # Tests do not need units that require hardware, a clock or a network, or that would empty /tmp.
  while read -r unit; do $B ln -sf /dev/null /run/systemd/system/$unit; done <$here/masked
  $B mkdir /run/tmpfiles.d
  $B ln -s /dev/null /run/tmpfiles.d/tmp.conf
  $B mount -t tmpfs none /usr/lib/systemd/system-generators
  $B mkdir -p /var/lib/systemd/linger
  : >/var/lib/systemd/linger/pboxuser
  $B rm -f /.dockerenv # otherwise systemd believes that it is in a container
  exec /lib/systemd/systemd --unit=proc_box-vm.target --show-status=0
fi

$B hostname "$(<$here/hostname)"
$B mkdir -p /dev/pts /dev/shm /dev/mqueue
$B mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
$B mount -t tmpfs -o mode=1777 shm /dev/shm
$B ln -sfn /proc/self/fd /dev/fd
for name in stdin:0 stdout:1 stderr:2; do $B ln -sfn fd/${name#*:} /dev/${name%:*}; done
# The command's group is a leaf. Its parent has every controller enabled, for boxes beside that leaf.
top=/sys/fs/cgroup/vm
$B mkdir -p $top/command
for dir in /sys/fs/cgroup $top; do
  for controller in $(<$dir/cgroup.controllers); do echo +$controller >$dir/cgroup.subtree_control; done
done
$here/job.sh &
# Reap orphans until job.sh ends the machine.
while :; do wait -n 2>/dev/null || read -rt 3600 <>/run/proc_box-vm/never; done
