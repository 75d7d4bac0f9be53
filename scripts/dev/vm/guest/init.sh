#!/bin/busybox sh
# The first process, in the initramfs. It makes the host's root the root file system, read-only under a tmpfs that takes all writes.
B=/bin/busybox
here=/run/proc_box-vm
fail() { echo "<0>proc_box-vm: $*" >/dev/kmsg; $B sleep 0.2; $B reboot -f; }

$B mkdir -p /proc /sys /dev /lower /writes /new
$B mount -t proc proc /proc
$B mount -t sysfs sysfs /sys
$B mount -t devtmpfs dev /dev
while read -r module; do $B insmod "$module" || fail "insmod $module"; done </modules/order

$B mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose root /lower || fail "mount of the root"
$B mount -t tmpfs -o size=75%,mode=755 writes /writes
$B mkdir /writes/upper /writes/work
$B mount -t overlay -o lowerdir=/lower,upperdir=/writes/upper,workdir=/writes/work root /new || fail "overlay"
$B mount -t tmpfs -o mode=755 run /new/run
$B mkdir -p /new$here /new/run/lock
$B cp -a /guest/. /bin/busybox /new$here/
for dir in proc sys dev; do $B mount -o move /$dir /new/$dir; done
exec $B switch_root /new $here/root.sh
