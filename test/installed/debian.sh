#!/bin/sh
# debian.sh FIRST SECOND [NODE]: install, use, upgrade, downgrade, removal and purge on a Debian without compiler and network.
# FIRST and SECOND are folders with proc-box_*.deb of two releases; with NODE their proc-box-node is installed as well.
here=$(dirname "$0")
. "$here/common.sh"
first=$1 second=$2 node=${3-}
export DEBIAN_FRONTEND=noninteractive

debs() { ls "$1"/proc-box_*.deb ${node:+"$1"/proc-box-node_*.deb}; }
before=$(find / -xdev \( -path /proc -o -path /sys -o -path /tmp -o -path "$here" -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log -o -path /var/lib/apt \) -prune -o -print | sort)

for tool in c++ gcc make npm; do command -v $tool >/dev/null && not_ok "there is a $tool here"; done
[ "$(ls /sys/class/net 2>/dev/null | grep -cv '^lo$')" = 0 ] && ok "neither compiler nor network" || not_ok "there is a network"

if [ -z "$node" ] || ! command -v node >/dev/null; then
  [ -n "$node" ] && refuses "without a Node, apt refuses the package alone" 'proc-box-node' apt-get install -y "$(ls "$first"/proc-box_*.deb)"
fi
began=$(now_ms)
check "apt install" apt-get install -y --no-install-recommends $(debs "$first")
echo "figure: install $(($(now_ms) - began)) ms"
check "the code cache is there" test -s /usr/lib/proc_box/dist/main.cjs.cache
check "the user of the agent" getent passwd proc_box
check "proc_box check" proc_box check --uri none
grep -E '^(PASS|WARN|FAIL) ' /tmp/output | sed 's/^/figure: check: /' | cut -c1-160
grep -q '^PASS *code cache' /tmp/output && ok "check passes the code cache" || not_ok "check does not pass the code cache: $(cat /tmp/output)"
[ "$(proc_box --uri none --quiet -- sh -c 'echo "$*"; exit 7' sh a b)" = 'a b' ] && ok "a boxed job" || not_ok "a boxed job"
check "a job with limits" proc_box --uri none --memory 100M --pids 50 --rlimit nofile=100 --timeout 1m -- true
check "qsub-box is on PATH" sh -c 'command -v qsub-box'
check "files for Prometheus and Grafana" ls /usr/lib/proc_box/scripts/site/prometheus/proc_box.rules.yaml /usr/lib/proc_box/scripts/site/grafana/cluster.json
for page in man1/proc_box.1 man1/proc_box-ctl.1 man5/proc_box.yaml.5 man7/proc_box.7; do
  test -s /usr/share/man/$page.gz || [ -e /etc/dpkg/dpkg.cfg.d/docker ] || not_ok "no $page"
done
adduser=$(id nobody >/dev/null && echo nobody)
check "a user's job" setpriv --reuid 65534 --regid 65534 --clear-groups proc_box --uri none -- true

echo '# by the site' >>/etc/proc_box/agent.yaml
echo 'sint: 30s' >/etc/proc_box/config.yaml
start_boxes 20 /tmp/boxes
began=$(now_ms)
check "upgrade with 20 running boxes" apt-get install -y --no-install-recommends $(debs "$second")
echo "figure: upgrade $(($(now_ms) - began)) ms"
grep -q 'by the site' /etc/proc_box/agent.yaml && ok "a changed agent.yaml is kept" || not_ok "agent.yaml was replaced"
refuses "removal while boxes run" '20 running box' apt-get remove -y proc-box
check "it is still installed" proc_box --uri none -- true
for i in $(seq 20); do
  pid=$(cat /tmp/boxes/job.$i)
  kill -0 "$pid" || not_ok "job $i has gone"
done
end_boxes 20 /tmp/boxes

check "downgrade" apt-get install -y --allow-downgrades $(debs "$first")
check "a job after the downgrade" proc_box --uri none -- true

check "install the collector" apt-get install -y --no-install-recommends "$(ls "$first"/proc-box-collector_*.deb)"
check "the user of the collector" getent passwd proc_box-collector
proc_box collector --config none --uri amqp://127.0.0.1:1 --store /tmp/store --listen 127.0.0.1:8480 >/tmp/collector 2>&1 &
collector=$!
await "the collector has a store" sh -c 'ls /tmp/store/*.db' && ok "the collector has a store"
kill $collector
wait $collector && ok "the collector ends" || not_ok "the collector ended with $?: $(cat /tmp/collector)"
check "purge of the collector" apt-get purge -y proc-box-collector
test -e /usr/lib/proc_box/dist/collector.cjs && not_ok "the bundle of the collector is left"

# A Node of another version refuses the cache; the next start by root makes it anew, and that of others does no harm.
printf 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' | dd of=/usr/lib/proc_box/dist/main.cjs.cache conv=notrunc 2>/dev/null
check "a user's job with a refused code cache" setpriv --reuid 65534 --regid 65534 --clear-groups proc_box --uri none -- true
setpriv --reuid 65534 --regid 65534 --clear-groups proc_box check --uri none >/tmp/output 2>&1
grep -q '^WARN *code cache' /tmp/output && ok "check says that it is refused" || not_ok "check is silent: $(grep 'code cache' /tmp/output)"
proc_box --uri none --quiet -- true
proc_box check --uri none >/tmp/output 2>&1
grep -q '^PASS *code cache.*' /tmp/output && ok "root's start made it anew" || not_ok "not made anew: $(grep 'code cache' /tmp/output)"
rm -f /usr/lib/proc_box/dist/main.cjs.cache
check "the trigger of an upgraded Node" sh -c 'dpkg-trigger --by-package=nodejs /usr/bin/node && dpkg --configure -a'
check "it made the code cache anew" test -s /usr/lib/proc_box/dist/main.cjs.cache

mkdir -p /etc/slurm && printf 'ClusterName=x\n#Prolog=/usr/bin/proc_box\nProlog=/usr/lib/proc_box/scripts/site/slurm/prolog/prolog\n' >/etc/slurm/slurm.conf
refuses "removal while slurm.conf needs it" 'Slurm .*/etc/slurm/slurm.conf, line 3' apt-get remove -y proc-box
sed -i /Prolog/d /etc/slurm/slurm.conf
mkdir -p /var/spool/pbs/server_priv/hooks && echo '{"proc_box": "/usr/bin/proc_box"}' >/var/spool/pbs/server_priv/hooks/box.CF
refuses "removal while a PBS hook needs it" 'the PBS hook box' apt-get remove -y proc-box
rm -r /var/spool/pbs /etc/slurm

check "removal" apt-get remove -y proc-box ${node:+proc-box-node}
test -e /etc/proc_box/config.yaml && ok "removal keeps /etc/proc_box" || not_ok "removal took the site's files"
test -e /usr/lib/proc_box && not_ok "removal left $(find /usr/lib/proc_box | head -n 5)"
check "purge" apt-get purge -y proc-box ${node:+proc-box-node}
getent passwd proc_box >/dev/null && not_ok "the user is left"
after=$(find / -xdev \( -path /proc -o -path /sys -o -path /tmp -o -path "$here" -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log -o -path /var/lib/apt \) -prune -o -print | sort)
echo "$before" >/tmp/before
echo "$after" >/tmp/after
left=$(comm -13 /tmp/before /tmp/after | grep -vE '^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|^/etc/\.pwd\.lock$' | tr '\n' ' ')
[ "$left" = '/etc/proc_box /etc/proc_box/config.yaml ' ] && ok "purge leaves only what the site wrote" || not_ok "left: $left"
exit $failed
