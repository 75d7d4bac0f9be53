import t from 'tap';
import { createLogger } from '../../../../src/log.js';
import { command } from '../../../../src/observe/collector/api/commanding.js';
import { Boxes } from '../../../../src/observe/collector/live/boxes.js';
import type { CommandRecord, CommandRequest } from '../../../../src/observe/model/api.js';
import { runningBox } from '../../../fixtures/collected.js';

const alice = { user: 'alice', operator: false, mayCommand: true };
const boss = { user: 'boss', operator: true, mayCommand: true };

function setup(fail?: Error) {
  const boxes = new Boxes();
  boxes.add(runningBox({ box: 'a', job: '1', user: 'alice', host: 'n1' }));
  boxes.add(runningBox({ box: 'b', job: '2', user: 'bob', host: 'n1' }));
  const sent: CommandRequest[] = [];
  const records: CommandRecord[] = [];
  const commanding = {
    boxes,
    log: createLogger('error', { write: () => {} }),
    record: async (record: CommandRecord) => void records.push(record),
    send: async (request: CommandRequest, id: string, answers: number) => {
      sent.push(request);
      if (fail !== undefined) throw fail;
      return {
        id,
        outcome: 'complete' as const,
        answers: Array.from({ length: answers }, () => ({ ok: true, box: 'x', host: 'h', job: 'j' })),
      };
    },
  };
  return { commanding, sent, records };
}

t.test('whoever is no operator reaches only their own boxes, whatever they name', async (t) => {
  const { commanding, sent, records } = setup();
  const { answers } = await command(commanding, alice, { command: 'kill', target: { host: 'n1' } });
  t.equal(answers.length, 1);
  t.strictSame(sent[0]?.target, { host: 'n1', user: 'alice' }, 'the boxes check it');
  await t.rejects(command(commanding, alice, { command: 'kill', target: { box: 'b' } }), {
    name: 'ApiProblem',
    status: 404,
  });
  await t.rejects(command(commanding, alice, { command: 'kill', target: { user: 'bob' } }), {
    name: 'ApiProblem',
    status: 403,
  });
  t.equal(sent.length, 1);
  t.strictSame(
    records.map(({ outcome }) => outcome),
    ['sending', 'complete', 'unroutable', 'refused'],
  );
});

t.test('operators reach all', async (t) => {
  const { commanding, sent } = setup();
  t.equal((await command(commanding, boss, { command: 'suspend', target: { host: 'n1' } })).answers.length, 2);
  t.strictSame(sent[0]?.target, { host: 'n1' });
});

t.test('what is no command or not allowed is not sent, and a broker that fails is told', async (t) => {
  const { commanding, sent } = setup();
  await t.rejects(command(commanding, { ...boss, mayCommand: false }, { command: 'kill', target: { box: 'a' } }), {
    status: 403,
  });
  await t.rejects(command(commanding, boss, { command: '__proto__', target: { box: 'a' } }), {
    name: 'ApiProblem',
    status: 400,
  });
  t.equal(sent.length, 0);
  const broken = setup(new Error('broker h: no answer'));
  await t.rejects(command(broken.commanding, boss, { command: 'kill', target: { box: 'a' } }), {
    status: 502,
    message: 'broker h: no answer',
  });
  t.equal(broken.records.at(-1)?.outcome, 'failed');
});
