#!/bin/bash
# Runs the command, sends its output and status to the host, and then ends the machine.
here=/run/proc_box-vm
B=$here/busybox
mode=$(<$here/mode)
for port in /sys/class/virtio-ports/*; do declare "$(<$port/name)=/dev/${port##*/}"; done
exec 9>$status

$B mkfifo $here/stdout $here/stderr
$B cat $here/stdout >$stdout 9>&- & out=$!
$B cat $here/stderr >$stderr 9>&- & err=$!
for disk in /sys/block/vd*; do
  [ "$(<$disk/serial)" = scratch ] && export PROC_BOX_VM_DISK=/dev/${disk##*/}
done
export PROC_BOX_VM=$mode
echo started >&9
(
  [ $mode = plain ] && echo 0 >/sys/fs/cgroup/vm/command/cgroup.procs
  exec 9>&- bash $here/command
) </dev/null >$here/stdout 2>$here/stderr
code=$?

# A remaining process that holds the output open would keep the two readers waiting.
[ $mode = plain ] && echo 1 >/sys/fs/cgroup/vm/cgroup.kill
for _ in {1..40}; do
  kill -0 $out 2>/dev/null || kill -0 $err 2>/dev/null || break
  $B sleep 0.05
done
echo ended $code >&9
$B reboot -f
