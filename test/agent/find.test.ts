import { join } from 'node:path';
import t from 'tap';
import { agentOption, askFirst, socketsOf } from '../../src/agent/find.js';
import { temporaryFolder } from '../fixtures/run.js';

t.test('the option, then the variable, then auto', async (t) => {
  t.equal(agentOption('/a', ['PBOX_AGENT=/b']), '/a');
  t.equal(agentOption(undefined, ['PBOX_AGENTS=/c', 'PBOX_AGENT=/b=']), '/b=');
  t.equal(agentOption(undefined, []), 'auto');
});

t.test('auto is the agent of the site, and then that of the user', async (t) => {
  t.strictSame(socketsOf('/a', { XDG_RUNTIME_DIR: '/run/user/1' }), ['/a']);
  t.strictSame(socketsOf('auto', {}), ['/run/proc_box/agent.sock']);
  t.strictSame(socketsOf('auto', { XDG_RUNTIME_DIR: 'relative' }), ['/run/proc_box/agent.sock']);
  t.strictSame(socketsOf('auto', { XDG_RUNTIME_DIR: '/run/user/1' }), [
    '/run/proc_box/agent.sock',
    '/run/user/1/proc_box/agent.sock',
  ]);
});

t.test('where none answers, the error is that of the first', async (t) => {
  const folder = temporaryFolder(t);
  await t.rejects(askFirst([join(folder, 'one'), join(folder, 'two')], 'list'), {
    message: /no agent answers at .*one: there is no such socket; no agent answers at .*two: there is no such socket/,
  });
});
