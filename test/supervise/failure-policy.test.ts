import t from 'tap';
import { wantsDebug } from '../../src/supervise/failure-policy.js';

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
