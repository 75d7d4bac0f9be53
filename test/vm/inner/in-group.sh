#!/bin/sh
# in-group.sh DIR COMMAND...: makes the group, and becomes the command inside of it
mkdir -p "$1" && echo 0 >"$1/cgroup.procs" && shift && exec "$@"
