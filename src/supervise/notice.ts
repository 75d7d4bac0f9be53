import { randomBytes } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { endpointOf } from '../amqp/config.js';
import { forUser, outgoingKey } from '../amqp/keys.js';
import { openPublisher, type Publisher } from '../amqp/publisher.js';
import { EVENT_TYPE, EVENT_VERSION, type EventHead, type Unboxed } from '../model/event.js';
import { assembleSpec } from '../options/assemble.js';
import { lenientCommandLine } from '../options/command-line.js';
import { systemFiles } from '../options/files.js';
import type { BoxSpec } from '../options/spec.js';
import type { YamlLoader } from '../options/yaml-document.js';
import { type Environment, identifyJob } from '../scheduler/identity.js';

/**
 * What the event `unboxed` is made from: it tells of a job that runs without a box (`--failure open`). This bundle does
 * not use the native part, which may be what is broken.
 */
export interface Notice {
  /** The words of the command line before the command; some may be wrong. */
  readonly words: readonly string[];
  /** Every `PBOX_*` entry of the environment, `NAME=value`. */
  readonly settings: readonly string[];
  readonly environment: Environment;
  readonly why: string;
  readonly loadYaml: YamlLoader;
  /** An agent's broker and the keys of the box. @default what the words and settings say */
  readonly spec?: BoxSpec;
  /** @default the user of this process */
  readonly user?: string;
}

/** Bound for the whole attempt: a broker that does not answer delays the end of a short job by no more than this. */
const ATTEMPT_MS = 2_000;
/** Options that determine where events go. */
const WHERE = ['uri', 'uri-file', 'exchange', 'ekey', 'tls-ca', 'tls-cert', 'tls-key', 'rascal-config', 'config'];

/** Publishes the event to the first broker that takes it. Best effort: never rejects, and resolves within 2 s. */
export async function tellUnboxed(notice: Notice): Promise<void> {
  const late = AbortSignal.timeout(ATTEMPT_MS);
  const over = new Promise<void>((resolve) => late.addEventListener('abort', () => resolve(), { once: true }));
  try {
    await Promise.race([publishFirst(notice, late), over]);
  } catch {
    // The error in the options or the installation may affect this, too; stderr has already reported it.
  }
}

async function publishFirst(notice: Notice, late: AbortSignal): Promise<void> {
  const spec = notice.spec ?? whereTo(notice);
  const event = unboxedEvent(notice);
  for (const uri of spec?.uris ?? []) {
    if (late.aborted || (await publish(spec!, uri, event, late))) return;
  }
}

/** Uses the options that can be understood, since one that cannot may be why there is no box. */
function whereTo({ words, settings, loadYaml }: Notice): BoxSpec | undefined {
  const options = connectionWords(words);
  const variables = settings.filter((entry) =>
    WHERE.some((name) => entry.startsWith(`PBOX_${name.toUpperCase().replaceAll('-', '_')}=`)),
  );
  for (const config of [[], ['--config=none']]) {
    try {
      const { spec } = assembleSpec({
        words: [...options, ...config],
        command: ['unboxed'],
        settings: variables,
        files: systemFiles(),
        deadline: { scheduler: 'none', remainingMs: null },
        loadYaml,
        // If the file cannot be read, its locks are unknown; without a box they do not matter.
        ...(config.length > 0 && { locks: 'ignored' as const }),
      });
      return spec;
    } catch {
      // The config file may be the problem, so try again without it.
    }
  }
  return undefined;
}

/** The options that determine where events go, whatever stands between them. */
function connectionWords(words: readonly string[]): string[] {
  const { given } = lenientCommandLine(words);
  return given.filter(({ name }) => WHERE.includes(name)).map(({ name, text }) => `--${name}=${text}`);
}

function unboxedEvent({ environment, why, user = userOf() }: Notice): EventHead & Unboxed {
  const box = `${Math.floor(Date.now() / 1000).toString(16)}${randomBytes(6).toString('hex')}`;
  const identity = identifyJob(environment, { user, host: hostname(), box });
  return {
    event: 'unboxed',
    version: EVENT_VERSION,
    sequence: 1,
    time: new Date().toISOString(),
    identity,
    state: 'running',
    why,
  };
}

function userOf(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? ''); // no entry in passwd(5)
  }
}

/** @returns whether the broker has it */
function publish(spec: BoxSpec, uri: string, event: EventHead & Unboxed, signal: AbortSignal): Promise<boolean> {
  const request = {
    endpoint: endpointOf(uri),
    connectionName: 'proc_box unboxed',
    timeoutMs: ATTEMPT_MS,
    signal,
    exchange: spec.exchange,
    declare: false,
    site: spec.rascalConfig ?? {},
  };
  const message = {
    exchange: spec.exchange,
    routingKey: outgoingKey(forUser(spec.eventsKey, event.identity.user), event.identity.host),
    content: Buffer.from(JSON.stringify(event)),
    options: {
      persistent: true,
      contentType: 'application/json',
      appId: 'proc_box',
      type: EVENT_TYPE,
      messageId: `${event.identity.box}-${event.sequence}`,
      timestamp: Math.floor(Date.now() / 1000),
    },
  };
  return new Promise((resolve) => {
    const done = (publisher: Publisher, sent: boolean) => publisher.close(() => resolve(sent));
    openPublisher(request, {
      made() {},
      up: (publisher) => publisher.publish(message, (sent) => done(publisher, sent === 'confirmed')),
      fail: () => resolve(false),
    });
  });
}
