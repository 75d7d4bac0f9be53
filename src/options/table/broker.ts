import { parseCount, parseDuration, parseSize } from '../units.js';
import { parseUris } from '../uri.js';
import { parsePath } from '../values.js';
import type { Option } from './option.js';

/** Where the broker is, how it is reached, and how many messages are kept while it is away. */
export const BROKER = {
  uri: {
    type: 'URI',
    placeholder: 'uris',
    default: 'amqp://guest:guest@localhost:5672',
    help: 'broker; with several hosts, separated by commas, the box fails over; none runs without a broker',
    parse: parseUris,
    shapes: ['list'],
  },
  'uri-file': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'file with the URI, so that its password is visible nowhere; mode 0600, owned by the user or root',
    parse: parsePath,
  },
  'tls-ca': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: "for amqps: PEM file of the authority that signed the broker's certificate; by default the authorities that Node trusts",
    parse: parsePath,
  },
  'tls-cert': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'for amqps: PEM file of the client certificate; ?auth_mechanism=external in the URI also logs in with it',
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
    help: 'YAML or JSON file with rascal settings, which override the built-in ones',
    parse: parsePath,
  },
  msgtimeout: {
    type: 'duration',
    placeholder: 'duration',
    default: '30s',
    help: 'give up a message that could not be sent for this long; 0 never gives up',
    parse: parseDuration,
  },
  flush: {
    type: 'duration',
    placeholder: 'duration',
    default: '3s',
    help: 'wait at most this long for the broker at the end of the job',
    parse: parseDuration,
  },
  'outbox-messages': {
    type: 'count',
    placeholder: 'number',
    default: '100000',
    help: 'messages kept in memory while the broker is away; with --spool-dir the others stay on disk, otherwise the oldest are dropped and counted',
    parse: (text: string) => parseCount(text, 1, 10_000_000),
  },
  'outbox-bytes': {
    type: 'size',
    placeholder: 'size',
    default: '64M',
    help: 'bytes kept in memory while the broker is away',
    parse: parseSize,
  },
  'spool-dir': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'keep messages that the broker has not confirmed on disk, below this directory; the box, the next box of the user or "proc_box spool flush" delivers them',
    parse: parsePath,
  },
  'spool-max-bytes': {
    type: 'size',
    placeholder: 'size',
    default: '256M',
    help: "maximum size of a user's spool; beyond it the oldest messages are dropped and counted",
    parse: parseSize,
  },
  'spool-max-age': {
    type: 'duration',
    placeholder: 'duration',
    default: '168h',
    help: 'messages in the spool that are older are dropped and counted',
    parse: parseDuration,
  },
} as const satisfies Readonly<Record<string, Option>>;
