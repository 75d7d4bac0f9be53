// test-command: npm run test:page
// debian: prometheus
// test-timeout: 240s
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { parse, stringify } from 'yaml';
import { freePorts } from '../../../scripts/dev/broker.mjs';
import type { BoxPage } from '../../../src/observe/model/api.js';
import { type Collected, said, startCollected } from '../../fixtures/page-site.js';
import { until } from '../../fixtures/processes.js';

/** What a site gives to Prometheus and Grafana, with Debian's prometheus and a real collector. */

const site = fileURLToPath(new URL('../../../scripts/site/', import.meta.url));
const rules = join(site, 'prometheus/proc_box.rules.yaml');
const skip = existsSync('/usr/bin/promtool') ? false : 'prometheus is not installed';

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly targets: readonly { readonly expr: string }[];
}
interface Variable {
  readonly name: string;
  readonly type: string;
  readonly definition?: string;
}
interface Board {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
}

const boards = readdirSync(join(site, 'grafana')).map(
  (name) => JSON.parse(readFileSync(join(site, 'grafana', name), 'utf8')) as Board,
);

t.test('promtool accepts the rules, and they do what they say', { skip }, async (t) => {
  promtool(t, ['check', 'rules', rules]);
  promtool(t, ['test', 'rules', fileURLToPath(new URL('proc_box.rules.test.yaml', import.meta.url))]);
  const text = readFileSync(fileURLToPath(new URL('proc_box.rules.test.yaml', import.meta.url)), 'utf8');
  const names: string[] = parse(readFileSync(rules, 'utf8')).groups.flatMap((group: { rules: { alert: string }[] }) =>
    group.rules.map(({ alert }) => alert),
  );
  t.equal(names.length, 10);
  for (const name of names) t.match(text, `alertname: ${name}`, `${name} has a test`);
});

t.test('boards have panels that do not overlap, and names of their own', async (t) => {
  t.strictSame(boards.map(({ title }) => title).sort(), [
    'proc_box: cluster',
    'proc_box: host',
    'proc_box: job',
    'proc_box: user',
  ]);
  t.equal(new Set(boards.map(({ uid }) => uid)).size, 4);
  for (const { title, panels } of boards) {
    t.equal(new Set(panels.map(({ id }) => id)).size, panels.length, title);
    const taken = new Set<string>();
    for (const { gridPos, title: panel } of panels) {
      t.ok(gridPos.x + gridPos.w <= 24, panel);
      const cells = Array.from(
        { length: gridPos.w * gridPos.h },
        (_, index) => `${gridPos.x + (index % gridPos.w)} ${gridPos.y + Math.floor(index / gridPos.w)}`,
      );
      t.notOk(
        cells.some((cell) => taken.has(cell)),
        `${title}: ${panel} lies on another`,
      );
      for (const cell of cells) taken.add(cell);
    }
  }
});

t.test('a real Prometheus scrapes the collector, and every panel and variable has data', { skip }, async (t) => {
  const collected = await startCollected(t);
  const env = { SLURM_JOB_ID: '4711', SLURM_CLUSTER_NAME: 'c1' };
  const box = collected.box(['sh', '-c', 'while :; do sleep 0.2; done'], {
    words: ['--memory', '256M', '--cpus', '1', '--timeout', '1h'],
    env,
  });
  await said(box, /started in box/);
  const short = collected.box(['true'], { env: { SLURM_JOB_ID: '4712', SLURM_CLUSTER_NAME: 'c1' } });
  await once(short, 'exit');
  await until(
    async () => (await collected.get<BoxPage>('boxes?job=4712&state=ended')).matching === 1,
    'the job that has ended is in the table',
  );
  const { rows } = await collected.get<BoxPage>('boxes?job=4711');
  const metrics = await (await fetch(collected.metricsUrl)).text();
  promtool(t, ['check', 'metrics'], metrics);

  const prometheus = await startPrometheus(t, collected);
  const query = async (expr: string) => {
    const response = await fetch(`${prometheus}/api/v1/query?query=${encodeURIComponent(expr)}`);
    const body = (await response.json()) as { status: string; data: { result: { metric: Record<string, string> }[] } };
    if (body.status !== 'success') throw new Error(`${expr}: ${JSON.stringify(body)}`);
    return body.data.result;
  };
  const values: Record<string, string> = {
    user: rows[0]?.user ?? '',
    job: '4711',
    host: rows[0]?.host ?? '',
    __rate_interval: '20s',
  };
  const filled = (expr: string) => expr.replaceAll(/\$(\w+)/g, (_, name: string) => values[name] ?? '');
  const held = new Set([
    ...(rows[0]?.memory_limit_bytes === null ? ['memory_limit', 'memory_used_ratio'] : []),
    ...(rows[0]?.cpu_limit_cores === null ? ['cpu_limit'] : []),
  ]);
  await until(
    async () => (await query('rate(proc_box_job_io_read_bytes_total[20s])')).length > 0,
    'Prometheus has scraped twice',
  );
  for (const { title, panels, templating } of boards) {
    for (const panel of panels) {
      for (const { expr } of panel.targets) {
        if ([...held].some((name) => expr.includes(`job_${name}`))) continue; // this host lets no box have such a limit
        t.not((await query(filled(expr))).length, 0, `${title}: ${panel.title}: ${filled(expr)}`);
      }
    }
    for (const { name, definition } of templating.list) {
      const [, expr, label] = /^label_values\((.+), (\w+)\)$/.exec(definition ?? '') ?? [];
      if (expr === undefined || label === undefined) continue;
      const found = (await query(filled(expr))).map(({ metric }) => metric[label]);
      t.ok(found.includes(values[name]), `${title}: variable ${name}`);
    }
  }
  const loaded = (await (await fetch(`${prometheus}/api/v1/rules`)).json()) as {
    data: { groups: { rules: { health: string }[] }[] };
  };
  t.equal(loaded.data.groups.flatMap((group) => group.rules).length, 10);
});

/** The site's own scrape job, with this collector's address and a shorter interval. @returns its address */
async function startPrometheus(t: Test, { metricsUrl }: Collected): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-prometheus-'));
  const config = parse(readFileSync(join(site, 'prometheus/scrape.yaml'), 'utf8'));
  const [scrape] = config.scrape_configs;
  t.equal(scrape.honor_labels, true, 'the label "job" is a batch job');
  scrape.scrape_interval = '1s';
  scrape.static_configs[0].targets = [new URL(metricsUrl).host];
  const file = join(folder, 'prometheus.yml');
  writeFileSync(file, stringify({ ...config, rule_files: [rules] }));
  const [port] = await freePorts(1);
  const words = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const child: ChildProcess = spawn('prometheus', words, { stdio: 'ignore' });
  t.teardown(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${url}/-/ready`).catch(() => null))?.ok === true, 'Prometheus is ready');
  return url;
}

function promtool(t: Test, words: readonly string[], input = ''): void {
  const { status, stdout, stderr } = spawnSync('promtool', words, { encoding: 'utf8', input });
  t.equal(status, 0, `promtool ${words.slice(0, 2).join(' ')}: ${stdout}${stderr}`);
}
