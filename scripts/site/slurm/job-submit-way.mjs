/**
 * The job-submit way of site.mjs: batch scripts get proc_box-shebang as their interpreter. It needs job_submit.lua on the
 * controller, either ours or the site's own that calls ours, and proc_box-shebang on the nodes.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isCalled, Refused } from './changes.mjs';

const LUA = { comment: '--' };
const SHELL = { comment: '#', mode: 0o755 };
const SETTINGS = { ...LUA, settings: true };
const SCRIPT = 'job_submit.lua';
const BLOCK = 'proc_box job-submit';
const NEXT = 'scontrol reconfigure, or restart slurmctld';

export const jobSubmitWay = {
  install(changes, site) {
    const script = join(site.etc, SCRIPT);
    const called = isCalled(site, SCRIPT);
    changes.file(join(site.lib, 'proc_box-shebang'), site.text('proc_box-shebang'), SHELL);
    changes.file(join(site.etc, 'proc_box.lua'), site.text('proc_box.lua'), LUA);
    changes.file(join(site.etc, 'proc_box_policy.lua'), site.text('proc_box_policy.lua'), SETTINGS);
    if (!called && isOthers(script)) {
      throw new Refused(
        `${script} is the site's own: try again with --called ${SCRIPT}, and then add to it ${lines(site)}`,
      );
    }
    if (!called) changes.file(script, site.text(SCRIPT), LUA);
    const conf = join(site.etc, 'slurm.conf');
    const plugins = ownPlugins(conf);
    if (plugins === undefined) changes.block(conf, BLOCK, ['JobSubmitPlugins=lua']);
    else if (!plugins.includes('lua')) {
      throw new Refused(`${conf}: JobSubmitPlugins=${plugins} is the site's own: add ",lua" to it, and try again`);
    }
    return called && !calls(script) ? `add to ${script} ${lines(site)}; ${NEXT}` : NEXT;
  },
  remove(changes, site) {
    const script = join(site.etc, SCRIPT);
    const conf = join(site.etc, 'slurm.conf');
    if (isOthers(script) && calls(script)) {
      throw new Refused(`${script} still has ${lines(site)}: remove them first, and run scontrol reconfigure`);
    }
    if (existsSync(script) && !isOthers(script) && ownPlugins(conf)?.includes('lua')) {
      throw new Refused(
        `${conf}: JobSubmitPlugins is the site's own, and slurmctld does not start with "lua" in it and no ${script}: remove "lua", run scontrol reconfigure, and try again`,
      );
    }
    changes.removeBlock(conf, BLOCK);
    for (const name of [SCRIPT, 'proc_box.lua', 'proc_box_policy.lua']) {
      if (name !== SCRIPT || !isOthers(script)) changes.removeFile(join(site.etc, name), LUA);
    }
    changes.removeFile(join(site.lib, 'proc_box-shebang'), SHELL);
    return `${NEXT}; jobs that are already queued need proc_box-shebang until they have run`;
  },
};

/** The lines that a site's own job_submit.lua needs. */
function lines({ etc }) {
  return `\`local proc_box = dofile("${join(etc, 'proc_box.lua')}")\` and, at the end of slurm_job_submit, \`return proc_box.submit(job_desc, part_list)\``;
}

/** Whether the script is the site's own. A file with our mark is ours, even if it has been edited. */
function isOthers(script) {
  return existsSync(script) && !readFileSync(script, 'utf8').includes('installed by proc_box');
}

function calls(script) {
  return existsSync(script) && readFileSync(script, 'utf8').includes('proc_box.lua');
}

/** The plugins of a JobSubmitPlugins line that is not ours. */
function ownPlugins(conf) {
  const ours = new RegExp(`^# begin of ${BLOCK}:[\\s\\S]*?# end of ${BLOCK}\\n`, 'm');
  const text = readFileSync(conf, 'utf8').replace(ours, '');
  return /^\s*JobSubmitPlugins\s*=\s*([^\s#]+)/im.exec(text)?.[1]?.split(',');
}
