# The limits of its own group, as the job finds them; then it waits for the end of the file named by its argument.
group=$(sed -n 's/^0:://p' /proc/self/cgroup)
echo "group $group"
for name in memory.max memory.high memory.swap.max memory.oom.group cpu.max cpu.weight cpuset.cpus.effective pids.max; do
  [ -e "/sys/fs/cgroup$group/$name" ] && echo "$name $(cat "/sys/fs/cgroup$group/$name")"
done
[ -e "/sys/fs/cgroup$group/io.max" ] && sed 's/^/io.max /' "/sys/fs/cgroup$group/io.max"
grep '^Cpus_allowed_list' /proc/self/status
echo ready
[ "$1" = stay ] && sleep 1000
exit 0
