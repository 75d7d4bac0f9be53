import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../setup.mjs';

/** The queue of the demonstration's collector. A broker keeps it when the collector has gone, so that nothing is lost. */
export const QUEUE = 'proc_box.quickstart';

/** The collector of the demonstration, and its page. */
export interface Collector {
  /** Address of the page, with the token that lets one in. */
  readonly address: string;
  end(): Promise<void>;
}

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome'];
const PICTURE_TIMEOUT_MS = 20_000;

/** @throws Error if it ends before it serves its page */
export async function startCollector(box: string, uri: string, folder: string): Promise<Collector> {
  const words = [
    'collector',
    '--uri',
    uri,
    '--store',
    join(folder, 'store'),
    '--listen',
    '127.0.0.1:0',
    '--queue',
    QUEUE,
  ];
  process.stdout.write(`\n$ proc_box ${words.join(' ')} &\n`);
  const child = spawn(box, words, {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { ...process.env, HOME: folder, XDG_STATE_HOME: folder },
  });
  let text = '';
  const address = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      process.stderr.write(chunk);
      text += chunk;
      const found = /the page is at (\S+)/.exec(text)?.[1];
      if (found !== undefined && text.includes('is receiving messages')) resolve(found);
    });
    child.once('exit', (status) => reject(new Error(`the collector exited with status ${status}`)));
  });
  return {
    address,
    async end() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** Says where the page is, and takes a picture of the job on it where there is a browser. */
export async function showPage(collector: Collector, job: string): Promise<void> {
  const picture = await takePicture(collector, job).catch((error: Error) => error.message.split('\n')[0] ?? '');
  process.stdout.write(`\nThe job on the collector's page: ${jobAddress(collector, job)}\n`);
  process.stdout.write(
    existsSync(picture)
      ? `A screenshot: ${picture}\n`
      : `No screenshot was taken (${picture}); docs/pictures/job.png shows an example.\n`,
  );
  process.stdout.write('npm run quickstart -- --page opens it in your browser, and keeps it open.\n');
}

/** Opens the page, and keeps everything running until somebody interrupts it. */
export async function keepOpen(collector: Collector, job: string): Promise<void> {
  const address = jobAddress(collector, job);
  const opener = findProgram('xdg-open');
  if (opener !== undefined)
    spawn(opener, [address], { stdio: 'ignore', detached: true })
      .on('error', () => {})
      .unref();
  process.stdout.write(`\nThe page stays at ${address}\nPress Ctrl-C to stop.\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    setInterval(() => {}, 60_000); // a handler of a signal keeps no process alive
  });
}

function jobAddress({ address }: Collector, job: string): string {
  return `${address}#/jobs/${encodeURIComponent(job)}`;
}

/** @returns the picture's path. @throws Error if there is no browser, or it does not show the job */
async function takePicture(collector: Collector, job: string): Promise<string> {
  const program = BROWSERS.map((name) => findProgram(name)).find((found) => found !== undefined);
  if (program === undefined) throw new Error('chromium is not installed');
  const { chromium } = await import('playwright-core');
  const sandbox = process.getuid?.() !== 0; // chromium refuses root's
  const browser = await chromium.launch({
    executablePath: program,
    args: sandbox ? [] : ['--no-sandbox'],
    timeout: PICTURE_TIMEOUT_MS,
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1500 } });
    page.setDefaultTimeout(PICTURE_TIMEOUT_MS);
    await page.goto(jobAddress(collector, job));
    await page.getByText('End report').waitFor();
    const path = join(tmpdir(), 'proc_box-quickstart.png');
    await page.screenshot({ path });
    return path;
  } finally {
    await browser.close();
  }
}
