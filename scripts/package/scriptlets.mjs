/** The maintainer scripts of the packages, for dpkg (deb-postinst(5), ...) and for rpm (rpm-spec(5)). */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'scriptlets');

/** The functions of common.sh that a script calls, directly or not, before its own lines. */
function withFunctions(body) {
  const text = readFileSync(join(folder, 'common.sh'), 'utf8');
  const [, head] = /^(\w+=.*)$/m.exec(text);
  const functions = [...text.matchAll(/^(?:#.*\n)*(\w+)\(\) \{\n[\s\S]*?\n\}\n/gm)].map(([all, name]) => ({
    all,
    name,
  }));
  const needed = new Set();
  const visit = (part) => {
    for (const one of functions) {
      if (needed.has(one) || !new RegExp(`\\b${one.name}\\b`).test(part)) continue;
      needed.add(one);
      visit(one.all.slice(one.all.indexOf('{')));
    }
  };
  visit(body);
  return [head, ...functions.filter((one) => needed.has(one)).map(({ all }) => all.trimEnd()), body].join('\n\n');
}

const deb = (body) => `#!/bin/sh\nset -e\n${withFunctions(body)}exit 0\n`;
const rpm = (section, body) => `${section}\n${withFunctions(body)}exit 0\n`;

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
remove) reload_units ;;
purge) purge_proc_box ;;
esac
`),
    // Another Node refuses the code cache of the one before.
    triggers: 'interest-noawait /usr/bin/node\ninterest-noawait /usr/lib/proc_box/node/bin/node\n',
  }),
  'proc-box-collector': () => ({
    postinst: deb('if [ "$1" = configure ]; then\n  make_collector_user\n  restart_collector\nfi\n'),
    prerm: deb('if [ "$1" = remove ]; then stop_collector; fi\n'),
    postrm: deb(`case $1 in
remove) reload_units ;;
purge) purge_collector ;;
esac
`),
  }),
};

/** rpm's: sections of the spec file. `$1` is how many versions are installed after the step. */
export const RPM = {
  'proc-box': () =>
    [
      rpm('%pre', 'make_user\nremove_code_cache\n'),
      rpm('%post', 'renew_code_cache\n'),
      rpm('%posttrans', 'after_upgrade\n'),
      rpm('%preun', 'if [ "$1" = 0 ]; then before_removal; fi\n'),
      rpm('%postun', 'if [ "$1" = 0 ]; then reload_units; fi\n'),
      rpm('%transfiletriggerin -- /usr/bin/node /usr/lib/proc_box/node/bin/node', 'renew_code_cache --if-stale\n'),
    ].join('\n'),
  'proc-box-collector': () =>
    [
      rpm('%pre', 'make_collector_user\n'),
      rpm('%posttrans', 'restart_collector\n'),
      rpm('%preun', 'if [ "$1" = 0 ]; then stop_collector; fi\n'),
      rpm('%postun', 'if [ "$1" = 0 ]; then reload_units; fi\n'),
    ].join('\n'),
};
