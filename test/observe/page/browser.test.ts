// test-command: npm run test:page
// test-timeout: 300s
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import type { BoxRow } from '../../../src/observe/model/api.js';
import { NARROW, noBrowser, openPage, startBrowser } from '../../fixtures/browser.js';
import { startPageApi } from '../../fixtures/page-api.js';
import { ended } from '../../fixtures/page-boxes.js';

/** The page in a real browser, with a collector's API that has made-up boxes. */

if (noBrowser !== false) {
  t.pass('', { skip: noBrowser });
} else {
  await run();
}

async function run(): Promise<void> {
  const browser = await startBrowser(t);
  const open = (t: Test, url: string, options = {}) => openPage(t, browser, url, options);

  await t.test('40,000 boxes: rows, search, order, keys', async (t) => {
    const api = await startPageApi(t, 40_000);
    const { page, complaints, strangers } = await open(t, api.url);
    const rows = page.getByRole('row');
    await page.getByText('40\u202f000 boxes').waitFor();
    t.equal(await page.getByRole('grid').getAttribute('aria-rowcount'), '40001');
    t.ok((await rows.count()) < 80, 'only rows near the screen exist');
    await page.evaluate('scrollTo(0, document.body.scrollHeight)');
    await page.locator('[aria-rowindex="40001"] .mono').first().waitFor();
    t.ok((await rows.count()) < 80);
    await page.keyboard.press('/');
    await page.keyboard.type('user:alice node1');
    // The content security policy forbids waitForFunction.
    await page.waitForURL(/q=user%3Aalice\+node1/);
    await page.locator('.found').filter({ hasNotText: '40\u202f000' }).waitFor();
    const others = page.locator('.table-body .row').filter({ hasNotText: 'alice' });
    await others.first().waitFor({ state: 'detached' });
    await page.getByRole('columnheader', { name: 'CPU' }).getByRole('button').click();
    await page.locator('[aria-sort=descending]', { hasText: 'CPU' }).waitFor();
    await page.reload();
    await page.locator('[aria-sort=descending]', { hasText: 'CPU' }).waitFor();
    t.equal(await page.getByRole('searchbox').inputValue(), 'user:alice node1', 'a link brings search and order back');
    await page.getByRole('grid').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /^Job \d+/ }).waitFor();
    t.equal(await page.evaluate('document.activeElement.tagName'), 'MAIN', 'the focus follows to the new screen');
    await page.locator('canvas').nth(3).waitFor();
    t.equal(api.streams(), 1, 'one connection for a page');
    t.strictSame(complaints, []);
    t.strictSame(strangers, []);
  });

  await t.test('figures follow, and rows keep their places under the pointer', async (t) => {
    const api = await startPageApi(t, 12);
    const { page } = await open(t, `${api.url}#/boxes`);
    const first = page.locator('[aria-rowindex="2"]');
    await first.waitFor();
    const [top] = [...api.boxes.values()].sort((one, other) => other.memory_bytes - one.memory_bytes) as [BoxRow];
    await first.hover();
    const smaller = { ...top, memory_bytes: 1024 ** 2, updated_ms: top.updated_ms + 1000 };
    api.change([smaller]);
    await first.getByText('1 MiB').waitFor();
    t.match(await first.textContent(), top.job, 'it changes where it is');
    await page.mouse.move(5, 5);
    await page.locator('[aria-rowindex="13"]').getByText('1 MiB').waitFor();
    api.change([
      ended(
        { ...smaller, updated_ms: smaller.updated_ms + 1000 },
        { reason: 'oom', exit_status: 137, why: 'out of memory' },
      ),
    ]);
    await page.getByText('Out of memory').waitFor();
    api.change([], [top.box]);
    await page.getByText('11 boxes').waitFor();
  });

  await t.test('a lost connection is shown and comes back', async (t) => {
    const api = await startPageApi(t, 4);
    const { page } = await open(t, api.url);
    await page.getByText('Live', { exact: true }).waitFor();
    api.refuse = 401;
    api.breakStreams();
    await page.getByText('Connection lost').waitFor();
    t.match(await page.locator('.link-state').getAttribute('title'), /no longer signed in/);
    api.refuse = null;
    await page.getByText('Live', { exact: true }).waitFor();
    t.equal(api.streams(), 1);
  });

  await t.test('commands ask first, and show what each box answered', async (t) => {
    const api = await startPageApi(t, 8);
    const { page } = await open(t, `${api.url}#/jobs/400000`);
    const dialog = page.getByRole('dialog');
    await page.getByRole('button', { name: 'Kill' }).click();
    await page.getByRole('dialog', { name: 'Kill 4 boxes of job 400000?' }).waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    t.strictSame(api.commands, [], 'a question that was not answered does nothing');
    await page.getByRole('button', { name: 'Time limit' }).click();
    await dialog.getByLabel('New time limit').fill('nonsense');
    await dialog.getByRole('button', { name: 'Time limit' }).click();
    t.strictSame(api.commands, [], 'what no box would take is not sent');
    await dialog.getByLabel('New time limit').fill('+30m');
    await dialog.getByRole('button', { name: 'Time limit' }).click();
    await dialog.getByText('the box is being stopped').waitFor();
    t.equal(await dialog.getByText('done').count(), 3);
    t.strictSame(api.commands, [
      { command: 'set_limit', arguments: ['timeout', '+30m'], target: { job: '400000', user: 'alice', cluster: 'c1' } },
    ]);
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    await page.getByRole('button', { name: '0.2' }).click();
    await page.getByRole('heading', { name: 'step 0, task 2 on node1' }).waitFor();
    await page.getByRole('button', { name: 'Suspend' }).click();
    await dialog.getByRole('button', { name: 'Suspend' }).click();
    await dialog.getByText('done').waitFor();
    t.strictSame(api.commands.at(-1), { command: 'suspend', arguments: [], target: { box: 'b00000002' } });
    api.me = { ...api.me, may_command: false };
    await page.reload();
    await page.locator('canvas').nth(3).waitFor();
    t.equal(await page.getByRole('button', { name: 'Suspend' }).count(), 0, 'who may not command sees no buttons');
  });

  await t.test('foreign text stays text', async (t) => {
    const api = await startPageApi(t, 1);
    const evil = '<img src=x onerror="document.title=1">';
    const [row] = [...api.boxes.values()] as [BoxRow];
    const bad = {
      ...row,
      job: `${evil}/../?x#y`,
      user: '"><script>alert(1)</script>',
      host: '\u202egnp.exe',
      queue: "'; DROP TABLE boxes",
      executable: evil,
      why: evil,
    };
    api.change([{ ...bad, updated_ms: row.updated_ms + 1 }]);
    api.alerts = [
      {
        at_ms: Date.now(),
        alert: 'oom',
        job: bad.job,
        cluster: evil,
        user: bad.user,
        host: bad.host,
        box: row.box,
        text: evil,
      },
    ];
    const { page, complaints, strangers } = await open(t, api.url);
    await page.getByText(evil).first().click();
    await page.getByRole('heading', { name: `Job ${bad.job}` }).waitFor();
    t.match(
      await page.locator('main').textContent(),
      '\\u202egnp.exe',
      'a character that would turn the text round is shown',
    );
    for (const screen of ['users', 'hosts', 'history', 'alerts', `users/${encodeURIComponent(bad.user)}`]) {
      await page.goto(`${api.url}#/${screen}`);
      await page.locator('table, .table').first().waitFor();
    }
    t.equal(await page.locator('main img, main script').count(), 0);
    t.strictSame(complaints, []);
    t.strictSame(strangers, []);
  });

  await t.test('an hour of updates leaves the browser as it was', async (t) => {
    const api = await startPageApi(t, 200);
    const { page } = await open(t, `${api.url}#/jobs/400000`);
    await page.locator('canvas').nth(3).waitFor();
    const heap = async () => {
      const session = await page.context().newCDPSession(page);
      await session.send('HeapProfiler.collectGarbage');
      const { metrics } = await session.send('Performance.enable').then(() => session.send('Performance.getMetrics'));
      const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
      return {
        bytes: of('JSHeapUsedSize'),
        nodes: await page.evaluate<number>("document.querySelectorAll('*').length"),
      };
    };
    const rows = () => [...api.boxes.values()].filter(({ job }) => job === '400000');
    const update = (times: number) => {
      for (let index = 0; index < times; index++) {
        api.change(rows().map((row) => ({ ...row, updated_ms: row.updated_ms + 1000, cpu_percent: index % 100 })));
        api.event('400000', {
          at_ms: Date.now(),
          box: 'b00000000',
          job: '400000',
          user: 'alice',
          host: 'node1',
          sequence: 100 + index,
          event: 'resumed',
          body: {},
        });
      }
    };
    update(100);
    await page.waitForTimeout(1500);
    const before = await heap();
    update(360); // an hour at a sample every 10 s
    await page.waitForTimeout(1500);
    const after = await heap();
    t.ok(after.bytes < 60e6, `${Math.round(after.bytes / 1e6)} MB in JavaScript's heap`);
    t.ok(after.bytes < before.bytes + 15e6, `${Math.round((after.bytes - before.bytes) / 1e6)} MB more than before`);
    t.ok(after.nodes < before.nodes + 100, `${before.nodes} and ${after.nodes} nodes`);
  });

  await t.test('every screen has names for what it offers, dark and light, wide and narrow', async (t) => {
    const api = await startPageApi(t, 40);
    api.alerts = [
      {
        at_ms: Date.now(),
        alert: 'oom',
        job: '400000',
        cluster: 'c1',
        user: 'alice',
        host: 'node1',
        box: 'b00000000',
        text: 'the kernel killed 1 process',
      },
    ];
    const nameless = `[...document.querySelectorAll('button, a, input, select')]
      .filter((element) => !(element.textContent.trim() || element.ariaLabel || element.labels?.length || element.title)).map((element) => element.outerHTML)`;
    for (const viewport of [undefined, NARROW]) {
      for (const colorScheme of ['dark', 'light'] as const) {
        const { page, complaints } = await open(t, api.url, { colorScheme, ...(viewport && { viewport }) });
        for (const screen of [
          'boxes',
          'jobs/400000',
          'users',
          'users/alice',
          'hosts/node1',
          'history',
          'alerts',
          'nowhere',
        ]) {
          await page.goto(`${api.url}#/${screen}`);
          await page.locator('main h1, main strong').first().waitFor();
          t.strictSame(await page.evaluate(nameless), [], `${screen}: no name`);
          const tooWide = await page.evaluate('document.documentElement.scrollWidth > innerWidth');
          t.notOk(tooWide, `${screen}: wider than ${viewport?.width ?? 'the screen'}`);
        }
        t.equal(await page.evaluate('document.documentElement.dataset.theme'), colorScheme);
        await page.getByRole('button', { name: /colours/ }).click();
        t.not(await page.evaluate('document.documentElement.dataset.theme'), colorScheme);
        t.strictSame(complaints, []);
      }
    }
  });

  await t.test('pictures of each screen, for the documentation and for whoever looks at them', async (t) => {
    // PROC_BOX_PICTURES=docs/pictures npm test -- test/observe/page/browser.test.ts
    const folder = process.env['PROC_BOX_PICTURES'] ?? t.testdir();
    const api = await startPageApi(t, process.env['PROC_BOX_PICTURES'] === undefined ? 400 : 40_000);
    const [first, second] = [...api.boxes.values()].filter(({ job }) => job === '400011') as [BoxRow, BoxRow];
    const why =
      'out of memory: the kernel killed 1 process (limit 128 GiB, peak 128 GiB); the limit came from --memory';
    api.change([first, second].map((row) => ended(row, { reason: 'oom', exit_status: 137, why })));
    const shots = [
      ['boxes', 'boxes', '.table-body .row', 'light', undefined],
      ['boxes-dark', 'boxes', '.table-body .row', 'dark', undefined],
      ['boxes-narrow', 'boxes', '.table-body .row', 'dark', NARROW],
      ['job', 'jobs/400005', 'canvas', 'light', undefined],
      ['job-dark', 'jobs/400005', 'canvas', 'dark', undefined],
      ['job-narrow', 'jobs/400005', 'canvas', 'light', NARROW],
      ['user', 'users/carol', '.plain', 'light', undefined],
      ['host', 'hosts/node7', '.plain', 'light', undefined],
      ['history', 'history?reason=oom', '.plain', 'light', undefined],
      ['command', 'jobs/400005', 'canvas', 'light', undefined],
    ] as const;
    for (const [name, screen, shown, colorScheme, viewport] of shots) {
      const { page } = await open(t, `${api.url}#/${screen}`, { colorScheme, ...(viewport && { viewport }) });
      await page.locator(shown).first().waitFor();
      if (name === 'command') {
        await page.getByRole('button', { name: 'Suspend' }).click();
        await page.getByRole('dialog').waitFor();
      }
      const picture = await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
      t.ok(picture.length > 10_000, `${name}: a picture of something`);
      await page.context().close();
    }
  });

  await t.test('who is not signed in is told how', async (t) => {
    const api = await startPageApi(t, 1);
    api.refuse = 401;
    const { page } = await open(t, api.url);
    await page.getByText('You are not signed in').waitFor();
    api.refuse = 500;
    await page.reload();
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    api.refuse = null;
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('grid').waitFor();
  });
}

t.test('the made-up API answers as the documented one', async (t) => {
  const api = await startPageApi(t, 40);
  const document = parse(readFileSync(new URL('../../../docs/collector-api.yaml', import.meta.url), 'utf8'));
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema({ $id: 'api', components: document.components });
  const cases = [
    ['whoami', 'WhoAmI'],
    ['boxes?limit=5', 'BoxPage'],
    ['boxes/b00000000', 'BoxView'],
    ['boxes/b00000000/series', 'Series'],
    ['jobs/400000', 'JobView'],
    ['jobs/400000/series', 'JobSeries'],
    ['users/alice', 'GroupView'],
    ['history', 'HistoryPage'],
  ] as const;
  for (const [path, name] of cases) {
    const answer = await (await fetch(`${api.url}api/v1/${path}`)).json();
    const validate = ajv.compile({ $ref: `api#/components/schemas/${name}` });
    validate(answer);
    t.strictSame(validate.errors ?? [], [], path);
  }
});
