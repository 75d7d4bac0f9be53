import t from 'tap';
import { failsOpen, wantsDebug } from '../../src/supervise/failure-policy.js';

t.test('the last word about --failure counts, then the variable', async (t) => {
  const cases: readonly (readonly [readonly string[], readonly string[], boolean])[] = [
    [[], [], false],
    [['--failure', 'open'], [], true],
    [['-failure=open'], [], true],
    [['--failure=open', '--failure', 'closed'], [], false],
    [['--failure=closed', '--failure', 'open'], [], true],
    [['--failure'], [], false],
    [['--failure='], ['PBOX_FAILURE=open'], false],
    [[], ['PBOX_X=1', 'PBOX_FAILURE=open'], true],
    [['--failure=closed'], ['PBOX_FAILURE=open'], false],
    [['--failures=open'], [], false],
  ];
  for (const [options, settings, open] of cases)
    t.equal(failsOpen(options, settings), open, `${options.join(' ')}; ${settings.join(' ')}`);
});

t.test('--debug counts before the command, where the options as a whole cannot be read', async (t) => {
  const cases: readonly (readonly [readonly string[], readonly string[], boolean])[] = [
    [[], [], false],
    [['--debug'], [], true],
    [['-debug=1'], [], true],
    [['--debug=T'], [], true],
    [['--debug=false'], ['PBOX_DEBUG=1'], false],
    [['--debug', '--debug=0'], [], false],
    [['--debugging'], [], false],
    [['--', '--debug'], [], false],
    [[], ['PBOX_DEBUG=true'], true],
    [[], ['PBOX_DEBUG=no'], false],
  ];
  for (const [words, settings, debug] of cases)
    t.equal(wantsDebug({ argv: ['proc_box', ...words], settings }), debug, `${words.join(' ')}; ${settings.join(' ')}`);
});
