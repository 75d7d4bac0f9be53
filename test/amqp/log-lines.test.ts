import t from 'tap';
import type { Failure } from '../../src/amqp/failure.js';
import { noTopicExchange, onceFor, refusedAnswer } from '../../src/amqp/log-lines.js';
import type { BoxSpec } from '../../src/options/spec.js';

const failure = (kind: string): Failure => ({
  kind,
  text: '',
  missingExchange: false,
  sender: undefined,
  permanent: false,
  slow: false,
});

t.test('that a broker is out of reach is told once, whichever link finds it', async (t) => {
  const told = onceFor(true);
  t.strictSame(
    ['refused', 'refused', 'name', 'login', 'login', 'name'].map((kind) => told(failure(kind))),
    [false, true, false, false, false, true],
    'the other failures are for each link to tell',
  );
});

t.test('of a broker that nobody asked for one line is enough', async (t) => {
  const told = onceFor(false);
  t.strictSame(
    ['refused', 'login', 'name'].map((kind) => told(failure(kind))),
    [false, true, true],
  );
});

t.test('what the broker has against an answer is told with the remedy', async (t) => {
  const spec = (replyExchange: string) => ({ replyExchange }) as unknown as BoxSpec;
  const error = new Error(`Channel closed by server: 403 with message "ACCESS_REFUSED - write to 'x'"`);
  t.equal(
    refusedAnswer(error, spec('')),
    `control: the broker refuses our answers: ACCESS_REFUSED - write to 'x': grant the permission, or name an exchange that this user may write to with --reply-exchange (docs/security.md); commands are still carried out`,
  );
  t.equal(
    refusedAnswer(new Error('odd'), spec('answers')),
    'control: the broker refuses our answers: odd: the exchange must exist, and this user must be allowed to write to it (docs/security.md); commands are still carried out',
  );
});

t.test('an exchange that does not route is named', async (t) => {
  t.match(noTopicExchange('x'), /^control: exchange "x" does not route this box's keys to its queue/);
});
