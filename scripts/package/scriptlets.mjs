/** The maintainer scripts of the packages, for dpkg (deb-postinst(5), ...) and for rpm (rpm-spec(5)). */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'scriptlets');

/** The shared functions without their head comment, which names a file that is not installed. */
function common() {
  return readFileSync(join(folder, 'common.sh'), 'utf8').replace(/^#.*\n/, '');
}

const deb = (body) => `#!/bin/sh\nset -e\n${common()}\n${body}exit 0\n`;

/** Debian's: a script for each name, and `triggers`. */
export const DEB = {
  'proc-box': () => ({
    // V8 would take an old cache for a new text of the same length.
    preinst: deb('if [ "$1" = upgrade ]; then remove_code_cache; fi\n'),
    postinst: deb(`case $1 in
configure)
  make_user
  renew_code_cache
  after_upgrade
  ;;
triggered) renew_code_cache --if-stale ;;
esac
`),
    prerm: deb('if [ "$1" = remove ]; then before_removal; fi\n'),
    postrm: deb(`case $1 in
remove)
  if systemd_runs; then systemctl daemon-reload || :; fi
  ;;
purge) purge ;;
esac
`),
    // Another Node refuses the code cache of the one before.
    triggers: 'interest-noawait /usr/bin/node\ninterest-noawait /usr/lib/proc_box/node/bin/node\n',
  }),
};

/** rpm's: sections of the spec file. `$1` is how many versions are installed after the step. */
export const RPM = {
  'proc-box': () => `%pre
${common()}
make_user_early() {
  getent passwd proc_box >/dev/null || useradd --system --user-group --no-create-home --home-dir /var/lib/proc_box \\
    --shell /sbin/nologin --comment 'proc_box node agent' proc_box
}
make_user_early
remove_code_cache
exit 0

%post
${common()}
renew_code_cache
exit 0

%posttrans
${common()}
after_upgrade
exit 0

%preun
${common()}
if [ "$1" = 0 ]; then before_removal; fi
exit 0

%postun
${common()}
if [ "$1" = 0 ] && systemd_runs; then systemctl daemon-reload || :; fi
exit 0

%transfiletriggerin -- /usr/bin/node /usr/lib/proc_box/node/bin/node
${common()}
renew_code_cache --if-stale
exit 0
`,
};
