import t from 'tap';
import { type AgentStatus, statusOfLink, statusText } from '../../src/agent/status.js';

const LINK = {
  control: { state: 'up', broker: 'b', connections: 1, lastError: null },
  statistics: { state: 'connecting', broker: 'b', connections: 0, lastError: null },
  outbox: { messages: 3, bytes: 2048 },
  spool: { messages: 1 },
  dropped: 0,
} as const;

const status = (link: typeof LINK | null): AgentStatus => ({
  version: '2.0.0',
  pid: 7,
  uid: 990,
  uptime_ms: 65_000,
  memory_bytes: 64 << 20,
  boxes: 2,
  users: 1,
  waiting: 0,
  refused: 4,
  ...statusOfLink(link),
});

t.test('without a link to the broker nothing is known of it', async (t) => {
  t.strictSame(statusOfLink(null), { broker: null, outbox: null, spool: null, dropped: null });
  t.equal(
    statusText(status(null), '/run/proc_box/agent.sock'),
    `agent       proc_box 2.0.0, pid 7, uid 990, up 1 min 05 s
socket      /run/proc_box/agent.sock
boxes       2 of 1 user
connections 0 without a box; 4 refused so far
memory      64 MiB
`,
  );
});

t.test('with one, its connections and what waits for them', async (t) => {
  const text = statusText(status(LINK), '/s');
  t.match(text, /^broker +control up, statistics connecting$/m);
  t.match(text, /^outbox +3 messages, 2 KiB$/m);
  t.match(text, /^spool +1 message$/m);
  t.match(text, /^dropped +0 messages$/m);
  for (const line of text.split('\n')) t.ok(line.length <= 80, line);
});

t.test('a version with control characters cannot write to a terminal', async (t) => {
  t.notMatch(statusText({ ...status(null), version: '2\u001b[2J' }, '/s'), '\u001b');
});
