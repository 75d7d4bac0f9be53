import t from 'tap';
import { toCommand } from '../../src/amqp/command.js';
import { SpecError } from '../../src/errors.js';
import { DEFAULT_RULES, matchesPattern, parseControlAuth, parseControlRules } from '../../src/options/control.js';
import { COMMAND_NAMES } from '../../src/options/table/commands.js';

t.test('a way to authorise is one of three words', async (t) => {
  for (const word of ['broker', 'user', 'signed']) t.equal(parseControlAuth(word), word);
  t.throws(
    () => parseControlAuth('none'),
    new SpecError('"none" is not a way to authorise: expected broker, user or signed'),
  );
});

t.test('the list of commands is that of the table of commands', async (t) => {
  for (const name of COMMAND_NAMES) {
    const answer = toCommand({ kind: 'request', name, args: [] });
    t.notOk('kind' in answer && answer.answer.error.code === 'unknown_command', name);
  }
  t.match(toCommand({ kind: 'request', name: 'x', args: [] }), { answer: { error: { code: 'unknown_command' } } });
});

t.test('rules are a list of users and commands', async (t) => {
  t.strictSame(parseControlRules(DEFAULT_RULES), [{ users: ['{owner}'], commands: ['*'] }]);
  t.strictSame(parseControlRules('[]'), [], 'nobody');
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['{', /is not JSON: for example/],
    ['{}', /is not a list of rules/],
    ['[1]', /rule 1 is not an object/],
    ['[{"users": ["a"], "comands": ["*"]}]', /rule 1 has an unknown key "comands"; did you mean "commands"\?/],
    ['[{"commands": ["*"]}]', /rule 1: users: expected a list of names/],
    ['[{"users": "a", "commands": ["*"]}]', /rule 1: users: expected a list/],
    ['[{"users": [""], "commands": ["*"]}]', /rule 1: users: expected a list/],
    [
      '[{"users": ["a"], "commands": ["*"]}, {"users": ["a"], "commands": ["suspnd"]}]',
      /rule 2: commands: "suspnd" matches no command; did you mean "suspend"\?/,
    ],
  ];
  for (const [text, message] of wrong) {
    t.throws(() => parseControlRules(text), { name: 'SpecError', message }, text);
  }
});

t.test('a star stands for any characters, and {owner} for exactly the owner', async (t) => {
  const yes: readonly (readonly [string, string, string?])[] = [
    ['*', ''],
    ['*', 'anything'],
    ['op-*', 'op-'],
    ['op-*', 'op-anna'],
    ['*_limit', 'set_limit'],
    ['timer_*t', 'timer_start'],
    ['a*b*c', 'a-b-b-c'],
    ['{owner}', 'alice', 'alice'],
    ['hpc-{owner}', 'hpc-alice', 'alice'],
    ['{owner}', 'a*', 'a*'],
    ['{owner}@*', '$&@x', '$&'],
  ];
  const no: readonly (readonly [string, string, string?])[] = [
    ['', 'a'],
    ['op-*', 'op'],
    ['op', 'op-anna'],
    ['ab*ba', 'aba'],
    ['a*b*c', 'a-c-b'],
    ['{owner}', 'bob', 'alice'],
    ['{owner}', 'ab', 'a*'],
    ['{owner}', '{owner}', 'alice'],
    ['Alice', 'alice'],
  ];
  for (const [pattern, text, owner] of yes) t.ok(matchesPattern(pattern, text, owner), `${pattern} fits ${text}`);
  for (const [pattern, text, owner] of no) t.notOk(matchesPattern(pattern, text, owner), `${pattern} is not ${text}`);
});

t.test('a pattern with many stars takes no long time', async (t) => {
  const began = performance.now();
  t.notOk(matchesPattern(`${'*a'.repeat(100)}b`, 'a'.repeat(10_000)));
  t.ok(performance.now() - began < 2000);
});
