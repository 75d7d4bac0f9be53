#!/bin/sh
# A typical job: a tree of processes that use CPU, memory and I/O until they are killed. Its argument is a folder for scratch
# files.
scratch=$1

echo "job: pid $$, working in $scratch"

# CPU: half a core.
while :; do
  i=0
  while [ $i -lt 100000 ]; do i=$((i + 1)); done
  sleep 0.1
done &

# Memory: tail must keep a last line of 64 MiB that never ends.
{ head -c 67108864 /dev/zero; exec sleep 600; } | tail -n 1 >/dev/null &

# I/O: writes that reach the disk.
while :; do
  dd if=/dev/zero of="$scratch/data" bs=1M count=8 conv=fsync 2>/dev/null
  sleep 0.5
done &

# A daemon in a session of its own, which still belongs to the box.
setsid sleep 600 &

wait
