// test-command: npm run test:page
// test-timeout: 240s
import t from 'tap';
import type { BoxPage } from '../../../src/observe/model/api.js';
import { noBrowser, openPage, startBrowser } from '../../fixtures/browser.js';
import { said, startCollected } from '../../fixtures/page-site.js';

/** The page of a real collector, with real boxes behind a real broker. */

t.test('a user sees a job, suspends it, resumes it, and reads why it ended', { skip: noBrowser }, async (t) => {
  const [collected, browser] = await Promise.all([startCollected(t), startBrowser(t)]);
  const { page, complaints, strangers } = await openPage(t, browser, `${collected.url}?token=${collected.token}`);
  await page.getByText('No box is running').waitFor();
  t.notMatch(page.url(), /token/, 'the token does not stay in the address');
  const job = '<b>4711</b>';
  const box = collected.box(['sh', '-c', 'while :; do sleep 0.2; done'], {
    env: { SLURM_JOB_ID: job, SLURM_CLUSTER_NAME: 'c1' },
    words: ['--timeout', '1h'],
  });
  await said(box, /started in box/);
  await page.getByText(job).first().click();
  await page.getByRole('heading', { name: `Job ${job}` }).waitFor();
  await page.locator('canvas').nth(2).waitFor();
  await page.getByText('Started sh').waitFor();

  const dialog = page.getByRole('dialog');
  const command = async (name: string) => {
    await page.getByRole('button', { name, exact: true }).click();
    await dialog.getByRole('button', { name, exact: true }).click();
    await dialog.getByText('done').waitFor();
    await page.keyboard.press('Escape');
  };
  await command('Suspend');
  await page.locator('.facts .state.suspended').waitFor();
  t.equal((await collected.get<BoxPage>('boxes')).rows[0]?.state, 'suspended');
  await command('Resume');
  await page.locator('.facts .state.running').waitFor();
  await page.getByText('Carried out: suspend').waitFor();
  await command('Kill');
  await page.getByRole('heading', { name: 'Ended: killed' }).waitFor();
  await page.getByRole('heading', { name: 'End report' }).waitFor();

  await page.goto(`${collected.url}#/history?q=${encodeURIComponent('<b>')}`);
  await page.getByRole('cell', { name: 'Killed' }).waitFor();
  t.strictSame(complaints, []);
  t.strictSame(strangers, []);
});
