#!/bin/sh
# rpm.sh ROOT FIRST SECOND: install, upgrade, removal by rpm's own tools in another root. FIRST and SECOND are folders with the rpms of two
# releases. The root is a Debian, so dependencies are not asked for (--nodeps); there are no rpms of a distribution here.
here=$(dirname "$0")
. "$here/common.sh"
root=$1 first=$2 second=$3
rpm_() { rpm --root "$root" --dbpath /var/lib/rpm "$@"; }
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }
proc_box() { chroot "$root" /usr/bin/proc_box "$@"; }
rpms() { ls "$1"/proc-box-[0-9]*.rpm "$1"/proc-box-node-*.rpm; }
mkdir -p "$root/var/lib/rpm" && rpm_ --initdb

began=$(now_ms)
check "rpm -i" rpm_ -i --nodeps --noplugins --ignorearch $(rpms "$first")
echo "figure: install $(($(now_ms) - began)) ms"
check "the code cache is there" test -s "$root/usr/lib/proc_box/dist/main.cjs.cache"
check "a boxed job" inside /usr/bin/proc_box --uri none -- true
check "the files are as packaged" sh -c "rpm --root '$root' --dbpath /var/lib/rpm -V --nodeps proc-box proc-box-node | grep -v '\.cache$' | { ! grep .; }"
requires=$(rpm_ -q --requires proc-box | grep -v '^rpmlib\|^/bin/sh\|^/usr/sbin/useradd\|^config(' | tr '\n' ';')
echo "figure: rpm requires $requires"
echo '# by the site' >>"$root/etc/proc_box/agent.yaml"
folder=/tmp/boxes.$$
mkdir -p "$root$folder" "$folder" && mount --bind "$root$folder" "$folder"
start_boxes 3 "$folder"
check "rpm -U with running boxes" rpm_ -U --nodeps --noplugins --ignorearch $(rpms "$second")
grep -q 'by the site' "$root/etc/proc_box/agent.yaml" && ok "a changed agent.yaml is kept" || not_ok "agent.yaml was replaced"
check "the code cache is there after the upgrade" test -s "$root/usr/lib/proc_box/dist/main.cjs.cache"
refuses "rpm -e while boxes run" '3 running box' rpm_ -e --nodeps proc-box

end_boxes 3 "$folder"
umount "$folder"
check "downgrade" rpm_ -U --nodeps --noplugins --ignorearch --oldpackage $(rpms "$first")
mkdir -p "$root/etc/slurm" && echo 'TaskProlog=/usr/bin/proc_box' >"$root/etc/slurm/slurm.conf"
refuses "rpm -e while slurm.conf needs it" 'Slurm .*slurm.conf, line 1' rpm_ -e --nodeps proc-box
rm -r "$root/etc/slurm"
check "rpm -e" rpm_ -e --nodeps proc-box proc-box-node
[ ! -e "$root/usr/lib/proc_box" ] && [ ! -e "$root/usr/bin/proc_box" ] && ok "nothing of the program is left" || not_ok "left: $(find "$root/usr/lib/proc_box" | head -n 5)"
ls "$root"/etc/proc_box/agent.yaml.rpmsave >/dev/null 2>&1 && ok "the site's agent.yaml is kept" || not_ok "agent.yaml has gone"
exit $failed
