import t from 'tap';
import { readAnswer } from '../../../src/observe/source/answer.js';
import { identityOf, sampleMessage } from '../../fixtures/observed.js';

t.test('an answer to status tells of the box and its last sample', async (t) => {
  const sample = sampleMessage({ box: 'b1' }, 4, Date.now());
  const answer = readAnswer(
    JSON.stringify({ ok: true, result: { identity: identityOf({ box: 'b1' }), state: 'running', sample } }),
  );
  t.match(answer, { ok: true, identity: { box: 'b1', user: 'alice' }, sample: { sequence: 4 } });
});

t.test('a refusal has its code, and anything else is no answer', async (t) => {
  t.match(readAnswer('{"ok": false, "error": {"code": "not_signed", "message": "x"}}'), {
    ok: false,
    identity: null,
    code: 'not_signed',
  });
  t.match(readAnswer('{"ok": false}'), { code: 'unknown' });
  t.match(readAnswer('{"ok": true, "result": {"identity": {"box": 7}, "sample": null}}'), {
    identity: null,
    sample: null,
  });
  for (const text of ['', '[]', 'null', '{"ok": 1}', '{', 'x'.repeat(2 ** 21)]) t.equal(readAnswer(text), undefined);
});
