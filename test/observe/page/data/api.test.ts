import t from 'tap';
import { SERIES_COLUMNS } from '../../../../src/observe/model/api.js';
import { apiPath, COLUMNS } from '../../../../src/observe/page/data/api.js';

t.test('a path is relative, so that it works below any proxy path', async (t) => {
  t.equal(
    apiPath(['boxes', 'a/b'], { q: 'x y', user: '', host: undefined, job: null, offset: 0 }),
    'api/v1/boxes/a%2Fb?q=x+y&offset=0',
  );
});

t.test('what the page plots are columns of the API', async (t) => {
  for (const column of COLUMNS) t.ok((SERIES_COLUMNS as readonly string[]).includes(column), column);
});
