import { parseCount, parseDuration, parseSize } from '../units.js';
import { parseUris } from '../uri.js';
import { parsePath } from '../values.js';
import type { Option } from './option.js';

/** Where the broker is and how it is reached; what is kept of messages while it is away. */
export const BROKER = {
  uri: {
    type: 'URI',
    placeholder: 'uris',
    default: 'amqp://guest:guest@localhost:5672',
    help: 'broker; several comma-separated hosts fail over; none runs without one',
    parse: parseUris,
    shapes: ['list'],
  },
  'uri-file': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'file with the URI, so that its password shows nowhere; mode 0600, owned by the user or root',
    parse: parsePath,
  },
  'tls-ca': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: "for amqps: PEM file of the authority that has signed the broker's certificate; without it those that Node knows",
    parse: parsePath,
  },
  'tls-cert': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'for amqps: PEM file of our own certificate, with ?auth_mechanism=external in the URI also for the login',
    parse: parsePath,
  },
  'tls-key': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'PEM file of the private key of --tls-cert; mode 0600, owned by the user or root',
    parse: parsePath,
  },
  'rascal-config': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'YAML or JSON file with settings of rascal that are merged in',
    parse: parsePath,
  },
  msgtimeout: {
    type: 'duration',
    placeholder: 'duration',
    default: '30s',
    help: 'time for one message to be sent; 0 never gives up',
    parse: parseDuration,
  },
  flush: {
    type: 'duration',
    placeholder: 'duration',
    default: '3s',
    help: 'at most this long for the broker at the end of the job',
    parse: parseDuration,
  },
  'outbox-messages': {
    type: 'count',
    placeholder: 'number',
    default: '100000',
    help: 'messages in memory while the broker is away; with --spool-dir the rest is on disk, else the oldest are dropped and counted',
    parse: (text: string) => parseCount(text, 1, 10_000_000),
  },
  'outbox-bytes': {
    type: 'size',
    placeholder: 'size',
    default: '64M',
    help: 'bytes in memory while the broker is away',
    parse: parseSize,
  },
  'spool-dir': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'keeps on disk, below this directory, what the broker has not confirmed; delivered by the box itself, the next box of the user or "proc_box spool flush"',
    parse: parsePath,
  },
  'spool-max-bytes': {
    type: 'size',
    placeholder: 'size',
    default: '256M',
    help: "bytes of a user's spool; the oldest messages are dropped and counted",
    parse: parseSize,
  },
  'spool-max-age': {
    type: 'duration',
    placeholder: 'duration',
    default: '168h',
    help: 'older messages in the spool are dropped and counted',
    parse: parseDuration,
  },
} as const satisfies Readonly<Record<string, Option>>;
