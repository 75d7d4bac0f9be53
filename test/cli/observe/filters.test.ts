import t from 'tap';
import { filterFrom, single } from '../../../src/cli/observe/filters.js';
import { filterText } from '../../../src/observe/source/filter.js';

t.test('options become a filter', async (t) => {
  t.equal(
    filterText(
      filterFrom(
        new Map([
          ['user', 'a,b'],
          ['sort', 'cpu'],
          ['state', 'running'],
        ]),
      ),
    ),
    'user:a,b state:running',
  );
  t.equal(single(new Map([['user', 'a']]), 'user'), 'a');
  for (const pattern of ['a,b', 'a*']) t.equal(single(new Map([['user', pattern]]), 'user'), undefined);
});
