#!/bin/sh
# tarball.sh FOLDER: the tarball with Node inside, for one user without root, on a Debian without Node. FOLDER has the tarball.
here=$(dirname "$0")
. "$here/common.sh"
archive=$(ls "$1"/proc_box-*.tar.gz)
command -v node >/dev/null && not_ok "there is a Node here"
home='/tmp/a home'
mkdir -p "$home" && chown 65534:65534 "$home"
as_user() { HOME=$home setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs "$@"; }
check "unpack" as_user tar -C "$home" -xf "$archive"
folder=$(ls -d "$home"/proc_box-*)
[ "$(as_user "$folder/bin/proc_box" --uri none --quiet -- sh -c 'echo job; exit 3')" = job ] && ok "a boxed job from a folder with a blank in its name" || not_ok "a boxed job"
test -s "$folder/dist/main.cjs.cache" && ok "the first start made the code cache" || not_ok "no code cache"
as_user "$folder/bin/proc_box" check --uri none >/tmp/output 2>&1
grep -qE '^PASS *installation.*from the tarball' /tmp/output && grep -qE '^PASS *code cache' /tmp/output && ok "proc_box check" || not_ok "check: $(cat /tmp/output)"
mkdir /opt/tools && mv "$folder" /opt/tools/proc_box && ln -s ../../tools/proc_box/bin/proc_box /usr/local/bin/proc_box 2>/dev/null
ln -sf /opt/tools/proc_box/bin/proc_box /usr/local/bin/proc_box
[ "$(proc_box --uri none --quiet -- echo moved)" = moved ] && ok "it runs after a move, by a link" || not_ok "moved"
chown -R root:root /opt/tools
check "a user's job from root's folder" as_user proc_box --uri none -- true
exit $failed
