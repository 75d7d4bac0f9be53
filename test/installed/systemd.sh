#!/bin/sh
# systemd.sh FIRST SECOND [NODE]: the agent and the collector under a real systemd; scripts/dev/systemd-root.sh runs it as a service.
# FIRST and SECOND are folders with proc-box_*.deb of two releases; with NODE their proc-box-node is installed as well.
here=$(dirname "$0")
. "$here/common.sh"
first=$1 second=$2 node=${3-}
debs() { ls "$1"/proc-box_*.deb ${node:+"$1"/proc-box-node_*.deb}; }
agent=proc_box-agent
listed() { [ "$(proc_box list --json | grep -o '"box":' | wc -l)" -eq "$1" ]; }

check "dpkg -i" dpkg -i $(debs "$first")
check "the user of the agent" getent passwd proc_box
check "the unit is known" systemctl cat $agent.service
systemctl is-enabled $agent.service >/dev/null 2>&1 && not_ok "the agent was enabled without being asked" || ok "the agent is not enabled yet"
systemctl start --no-block $agent.service
await "the status says what to correct" sh -c "systemctl status $agent | grep 'Status: .*agent.uri: ENOENT'" && ok "without its URI, the agent's status says what to correct"
[ "$(systemctl show -P NRestarts $agent)" -lt 2 ] && ok "it is not started again and again" || not_ok "started again $(systemctl show -P NRestarts $agent) times"
systemctl stop $agent.socket $agent.service
echo 'uri: none' >/etc/proc_box/agent.yaml
check "systemctl enable --now" systemctl enable --now $agent.socket $agent.service
await "the agent answers" proc_box agent status && ok "the agent answers: $(proc_box agent status | head -n 1)"
[ "$(stat -c %U "/proc/$(systemctl show -P MainPID $agent)")" = proc_box ] && ok "it runs as proc_box" || not_ok "user"
echo "figure: $(systemd-analyze security $agent.service 2>/dev/null | tail -n 1 | sed 's/^[^A-Za-z]*//')"
check "check passes the agent" sh -c 'proc_box check | grep -E "^PASS *agent.*agent.sock"'

# The box with this number, as one more of the agent. A box does not wait for long for an agent on a busy machine: then once more.
start_with_agent() {
  for attempt in 1 2 3 4 5; do
    proc_box --quiet -- sh -c "echo \$\$ >/tmp/boxes/job.$1; until [ -e /tmp/boxes/end ]; do sleep 0.5; done; exit $1" &
    eval "box_$1=\$!"
    await "box $1 starts" test -s "/tmp/boxes/job.$1"
    listed "$1" && return
    kill $!
    wait $!
    rm "/tmp/boxes/job.$1"
  done
}
mkdir /tmp/boxes
for i in $(seq 20); do start_with_agent "$i"; done
await "20 boxes are listed" listed 20 && ok "20 boxes are with the agent"
pid=$(systemctl show -P MainPID $agent)
check "upgrade with 20 running boxes" dpkg -i $(debs "$second")
await "the agent is active" systemctl is-active $agent && ok "the agent is active after the upgrade"
[ "$(systemctl show -P MainPID $agent)" != "$pid" ] && ok "it is the new one" || not_ok "the agent was not restarted"
systemctl is-enabled $agent.service >/dev/null && ok "it is still enabled" || not_ok "the upgrade disabled it"
await "the new agent has the boxes" listed 20 && ok "the new agent has all 20 boxes"
for signal in KILL TERM; do
  kill -$signal "$(systemctl show -P MainPID $agent)"
  await "systemd starts the agent again after SIG$signal" listed 20 && ok "after SIG$signal, the next agent has all 20 boxes"
done
# A new file at the Node's place, as an upgrade of Node leaves it: the agent runs a program that has gone.
if command -v needrestart >/dev/null; then
  cp -p "$(command -v node)" /tmp/node && mv /tmp/node "$(readlink -f "$(command -v node)")"
  # What it would restart comes before what it would not.
  outdated() { needrestart -l -r l 2>/dev/null | sed '/deferred/,$d' | grep -q "restart $agent"; }
  outdated && not_ok "needrestart would restart the agent" || ok "needrestart leaves the agent alone"
  mv /etc/needrestart/conf.d/proc_box.conf /tmp/
  outdated && ok "without the package's file, needrestart would restart it" || not_ok "needrestart did not see that the agent is outdated"
  mv /tmp/proc_box.conf /etc/needrestart/conf.d/
fi
refuses "removal while boxes run" '20 running box' dpkg -r proc-box
systemctl is-active $agent >/dev/null && ok "the agent still runs after the refusal" || not_ok "the refused removal stopped the agent"
: >/tmp/boxes/end
wrong=''
for i in $(seq 20); do
  eval "wait \$box_$i"
  status=$?
  [ $status = "$i" ] || wrong="$wrong $i:$status"
done
[ -z "$wrong" ] && ok "each of 20 boxes ended with its own status" || not_ok "wrong statuses:$wrong"

collector=proc_box-collector
check "dpkg -i of the collector" dpkg -i "$second"/proc-box-collector_*.deb
echo 'amqp://127.0.0.1:1' >/etc/proc_box/collector.uri
chmod 600 /etc/proc_box/collector.uri
chown $collector: /etc/proc_box/collector.uri
check "systemctl enable --now of the collector" systemctl enable --now $collector
await "the collector has a store" sh -c 'ls /var/lib/proc_box-collector/*.db' && ok "the collector has a store: $(journalctl -u $collector -o cat | tail -n 1)"
systemctl is-active $collector >/dev/null && ok "the collector is active" || not_ok "the collector: $(journalctl -u $collector -o cat | tail -n 5)"
[ "$(stat -c %U "/proc/$(systemctl show -P MainPID $collector)")" = $collector ] && ok "it runs as $collector" || not_ok "user of the collector"
check "removal of the collector" dpkg -r proc-box-collector
systemctl is-active $collector >/dev/null && not_ok "the collector still runs" || ok "the collector has ended"
check "purge of the collector" dpkg -P proc-box-collector
rm /etc/proc_box/collector.uri
[ -e /var/lib/proc_box-collector ] && not_ok "the store of the collector is left"

printf 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' | dd of=/usr/lib/proc_box/dist/main.cjs.cache conv=notrunc 2>/dev/null
check "restart with a refused code cache" systemctl restart $agent
check "the agent's start made it anew" sh -c 'proc_box check | grep -E "^PASS *code cache"'
check "removal" dpkg -r proc-box
systemctl is-active $agent.socket >/dev/null && not_ok "the socket is still there" || ok "the agent has ended"
check "purge" dpkg -P proc-box ${node:+proc-box-node}
for left in /var/lib/proc_box /run/proc_box /usr/lib/proc_box /etc/needrestart/conf.d/proc_box.conf \
  /etc/systemd/system/multi-user.target.wants/$agent.service /etc/systemd/system/sockets.target.wants/$agent.socket; do
  if [ -e $left ] || [ -L $left ]; then not_ok "left: $left"; fi
done
getent passwd proc_box >/dev/null && not_ok "the user is left" || ok "nothing is left"
exit $failed
