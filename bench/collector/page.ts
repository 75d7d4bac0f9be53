import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, chromium } from 'playwright-core';
import { type Bench, Cleanup, median, type Row } from '../measure.js';
import { startLive } from './live.js';

/** The collector's page with 40,000 boxes in a real browser: when it can be used, how soon it shows a sample, and its memory. */

const CHROMIUM = '/usr/bin/chromium';
const BOXES = 40_000;
const INTERACTIVE_MS = 1_000;
const SHOWN_MS = 2_000;
const MEMORY_MB = 150;
/** One sample a minute of each box. */
const SAMPLES_PER_SEC = 670;
const UPDATES_SEC = 300;

export async function collectorPage(bench: Bench): Promise<Row[]> {
  if (!existsSync(CHROMIUM)) {
    const target = 'not measured';
    return [{ figure: 'page of the collector', measured: '', reference: `${CHROMIUM} is not installed`, target }];
  }
  await using cleanup = new Cleanup();
  const { collector, load } = await startLive(bench, cleanup, BOXES);
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ executablePath: CHROMIUM, args });
  cleanup.defer(() => browser.close());
  const address = `${collector.url}/?token=${collector.token}`;

  const interactiveMs: number[] = [];
  for (let round = 0; round < bench.rounds(20); round++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const began = performance.now();
    await page.goto(address);
    await page.locator('[aria-rowindex="2"]').first().waitFor();
    await page.keyboard.press('/');
    await page.locator('input[type=search]:focus').waitFor();
    interactiveMs.push(performance.now() - began);
    await context.close();
  }

  const page = await (await browser.newContext()).newPage();
  await page.goto(address);
  const shownMs: number[] = [];
  for (let index = 0; index < bench.rounds(20); index++) {
    const job = await load.publishOf(index * 4, 1e9);
    await page.goto(`${collector.url}/#/jobs/${job}`);
    const main = page.locator('main');
    await main.getByText(job).first().waitFor();
    await sleep(1_500); // until the first state is shown
    const sizes = async () => (await main.textContent())?.match(/[\d.]+\s*[GM]i?B/g)?.join();
    const before = await sizes();
    const sent = performance.now();
    await load.publishOf(index * 4, 2e9);
    while ((await sizes()) === before) await sleep(20);
    shownMs.push(performance.now() - sent);
  }

  await page.goto(`${collector.url}/#/boxes`);
  await page.locator('[aria-rowindex="2"]').first().waitFor();
  const beforeMb = await pageMb(browser);
  const seconds = bench.rounds(UPDATES_SEC);
  for (let second = 0; second < seconds; second++) {
    const began = performance.now();
    await load.publish(SAMPLES_PER_SEC);
    await sleep(Math.max(0, 1_000 - (performance.now() - began)));
  }
  const afterMb = await pageMb(browser);
  return [
    {
      figure: `page with ${BOXES} boxes: can be used after`,
      measured: `${Math.round(median(interactiveMs))} ms`,
      reference: `at worst ${Math.round(Math.max(...interactiveMs))} ms; a new session each time`,
      target: `at most ${INTERACTIVE_MS} ms`,
      pass: median(interactiveMs) <= INTERACTIVE_MS,
    },
    {
      figure: `sample published to page, ${BOXES} live boxes`,
      measured: `${Math.round(median(shownMs))} ms`,
      reference: `at worst ${Math.round(Math.max(...shownMs))} ms`,
      target: `at most ${SHOWN_MS} ms`,
      pass: median(shownMs) <= SHOWN_MS,
    },
    {
      figure: `private memory of the page's process after ${seconds} s of updates`,
      measured: `${Math.round(afterMb)} MB`,
      reference: `${Math.round(beforeMb)} MB before; ${SAMPLES_PER_SEC} samples/s`,
      target: `at most ${MEMORY_MB} MB`,
      pass: afterMb <= MEMORY_MB,
    },
  ];
}

/** Of the process that shows the page; chromium keeps a small one in reserve. */
async function pageMb(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const renderers = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  return Math.max(...renderers.map(privateMb));
}

function privateMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  const kilobytes = [...text.matchAll(/^Private_\w+: +(\d+) kB$/gm)].map(([, number]) => Number(number));
  return (kilobytes.reduce((sum, number) => sum + number, 0) * 1024) / 1e6;
}
