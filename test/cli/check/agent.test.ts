import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { agentRow } from '../../../src/cli/check/agent.js';
import { startAgent } from '../../fixtures/own-agent.js';
import { temporaryFolder } from '../../fixtures/run.js';

function row(words: readonly string[], more: Partial<Parameters<typeof agentRow>[0]> = {}) {
  return agentRow({ words, settings: [], environment: {}, version: '2.0.0', uid: process.geteuid?.() ?? -1, ...more });
}

/** Where `auto` finds the agent of a user. */
async function ownAgent(t: Test) {
  const agent = await startAgent(t);
  return { agent, words: [`--agent=${agent.socket}`] };
}

t.test('which agent a box would use', async (t) => {
  const { agent, words } = await ownAgent(t);
  t.match(await row(words), {
    name: 'agent',
    status: 'PASS',
    evidence: new RegExp(`^proc_box \\S+ at ${agent.socket}, pid \\d+, 0 boxes of 0 users`),
  });
  t.match(await row([], { settings: [`PBOX_AGENT=${agent.socket}`] }), { status: 'PASS', evidence: /^proc_box / });
  t.match(await row(words, { version: '9.9.9' }), {
    status: 'WARN',
    evidence: /; this is 9\.9\.9$/,
    fix: /^restart the agent/,
  });
});

t.test('why none is used', async (t) => {
  t.match(await row(['--agent=none']), { status: 'PASS', evidence: 'not used (--agent none)' });
  t.match(await row(['--uri=none']), { status: 'PASS', evidence: /^not used, because --uri is given/ });
  t.match(await row([], { settings: ['PBOX_URI_FILE=/f'] }), { evidence: /because PBOX_URI_FILE is given/ });
  t.match(await row([], { environment: { XDG_RUNTIME_DIR: '/nonexistent' } }), {
    status: 'PASS',
    evidence: /^none: .*\/nonexistent\/proc_box\/agent\.sock: no such socket; each box has a Node of its own$/,
  });
});

t.test('an agent that is named and does not answer is a FAIL, one that is found a WARN', async (t) => {
  const folder = temporaryFolder(t);
  t.match(await row([`--agent=${join(folder, 's')}`]), { status: 'FAIL', evidence: /no such socket/ });
  const file = join(folder, 'file');
  writeFileSync(file, '');
  t.match(await row([`--agent=${file}`]), { status: 'FAIL', evidence: /nobody listens there/, fix: /--socket/ });
});
