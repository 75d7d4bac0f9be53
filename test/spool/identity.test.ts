import t from 'tap';
import { identityIn, toIdentity } from '../../src/spool/identity.js';
import { jobIdentity } from '../fixtures/light.js';

const whole = jobIdentity({ scheduler: 'slurm', cluster: 'c', task: '3', node: 'n', queue: 'q', restart: 2 });

t.test('an identity is taken as it is, without what it does not have', async (t) => {
  t.strictSame(toIdentity(whole), whole);
  t.strictSame(toIdentity({ ...whole, more: 'x' }), whole);
  const { cluster: _c, step: _s, task: _t, node: _n, queue: _q, ...least } = whole;
  t.strictSame(
    toIdentity(least),
    { ...whole, cluster: null, step: null, task: null, node: null, queue: null },
    'what may be missing is null',
  );
  t.match(toIdentity({ ...whole, job: '' }), { job: '' });
  t.match(toIdentity({ ...whole, user: 'x'.repeat(255) }), { user: /^x+$/ });
});

t.test('what is no identity is not published as one', async (t) => {
  const cases: Record<string, unknown> = {
    undefined: undefined,
    null: null,
    text: 'slurm',
    empty: {},
    'an unknown scheduler': { ...whole, scheduler: 'cron' },
    'a scheduler that is a list': { ...whole, scheduler: ['slurm'] },
    'half a restart': { ...whole, restart: 0.5 },
    'a restart that is text': { ...whole, restart: '0' },
    'no box': { ...whole, box: undefined },
    'a user that is null': { ...whole, user: null },
    'a host that is a number': { ...whole, host: 1 },
    'a step that is a number': { ...whole, step: 0 },
    'a text that drives a terminal': { ...whole, job: '\u001b[2J' },
    'a text with a newline': { ...whole, queue: 'a\nb' },
    'a text that is too long': { ...whole, user: 'x'.repeat(256) },
  };
  for (const [name, value] of Object.entries(cases)) t.equal(toIdentity(value), undefined, name);
});

t.test('a sample and an event say whose they are', async (t) => {
  t.strictSame(identityIn(JSON.stringify({ Identity: whole })), whole, 'a sample');
  t.strictSame(identityIn(JSON.stringify({ identity: whole })), whole, 'an event');
  for (const body of ['{', 'null', '7', '{}', '{"identity":{}}']) t.equal(identityIn(body), undefined, body);
});
