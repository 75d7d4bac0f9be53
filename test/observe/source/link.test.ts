import t from 'tap';
import { EnvironmentError, isEnvironmentError } from '../../../src/errors.js';
import { Link, type LinkOptions } from '../../../src/observe/source/link.js';

/** A link whose attempts a test decides. */
function linkOf(attempts: (() => Promise<{ readonly lost: Promise<string> }>)[], more: Partial<LinkOptions> = {}) {
  const down: string[] = [];
  const link = new Link({
    connect: () => (attempts.shift() ?? (() => Promise.reject(new EnvironmentError('no more'))))(),
    isPassing: isEnvironmentError,
    onDown: (why) => down.push(why),
    ...more,
  });
  return { link, down, attempts };
}
const up = (lost: Promise<string>) => async () => ({ lost });
const never = new Promise<string>(() => {});

t.test('the first failure is the caller’s', async (t) => {
  const { link, down } = linkOf([]);
  await t.rejects(link.open(), { message: 'no more' });
  t.strictSame(down, []);
});

t.test('a link that fails is made again, also after attempts that fail', async (t) => {
  let made: () => void = () => {};
  const again = new Promise<void>((resolve) => (made = resolve));
  const { link, down } = linkOf([
    up(Promise.resolve('cut')),
    () => Promise.reject(new EnvironmentError('refused')),
    async () => {
      made();
      return { lost: never };
    },
  ]);
  await link.open();
  await again;
  t.strictSame(down, ['cut', 'refused']);
  link.close();
});

t.test('a closed link is not made again', async (t) => {
  let cut: (why: string) => void = () => {};
  const { link, down, attempts } = linkOf([up(new Promise((resolve) => (cut = resolve))), up(never)]);
  await link.open();
  link.close();
  cut('over');
  await new Promise((resolve) => setImmediate(resolve));
  t.ok(link.isClosed);
  t.strictSame(down, []);
  t.equal(attempts.length, 1);
});
