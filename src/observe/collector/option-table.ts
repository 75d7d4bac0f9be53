import type { VerbOption } from '../../options/verb-words.js';

/** The options of `proc_box collector`, for the parser, `--help` and docs/observe.md. */
export const OWN = {
  store: {
    placeholder: 'dir|uri',
    help: 'where to keep the data: a folder for SQLite files (default ~/.local/state/proc_box/collector), or postgres://user@host/database',
  },
  'store-uri-file': {
    placeholder: 'path',
    help: 'a file with mode 0600 that holds the URI of PostgreSQL with its password',
  },
  listen: {
    placeholder: 'address',
    default: '127.0.0.1:8480',
    help: 'where to serve the page and the API: host:port, the path of a socket, or none',
  },
  auth: {
    placeholder: 'mode',
    help: 'token (the default), proxy, none (read-only, loopback only), or socket (the default of a Unix socket)',
  },
  'token-file': {
    placeholder: 'path',
    help: 'a file with mode 0600 of lines "<user> <token>", instead of one token that the collector generates',
  },
  'proxy-header': {
    placeholder: 'name',
    default: 'X-Remote-User',
    help: 'the header in which the proxy names the user',
  },
  'proxy-from': {
    placeholder: 'list',
    default: '127.0.0.1,::1',
    help: 'addresses of the proxy, or user:<name> on a Unix socket',
  },
  operators: { placeholder: 'list', default: 'root', help: 'users who see and command the boxes of all users' },
  'sign-key': {
    placeholder: 'path',
    help: 'sign commands with this private key, for boxes with --control-auth signed',
  },
  'metrics-listen': { placeholder: 'address', help: 'serve /metrics there too, without authentication' },
  top: {
    placeholder: 'number',
    default: '20',
    help: 'number of jobs with their own series in /metrics, by memory and by CPU',
  },
  otlp: {
    placeholder: 'url',
    help: 'send metrics, and a span for each box, to this OpenTelemetry receiver (OTLP over HTTP)',
  },
  queue: {
    placeholder: 'name',
    default: 'proc_box.collector',
    help: 'the durable queue; an existing one is used unchanged',
  },
  'queue-bytes': {
    placeholder: 'size',
    default: '8G',
    help: 'size limit of a queue that the collector declares; beyond it, the broker drops the oldest messages',
  },
  prefetch: { placeholder: 'number', default: '4000', help: 'messages that may wait in the collector for the store' },
  'keep-live': {
    placeholder: 'duration',
    default: '5m',
    help: 'how long a box that has ended stays in the live table and in /metrics',
  },
  'keep-full': { placeholder: 'duration', default: '14d', help: 'how long time lines keep every sampled point' },
  'keep-thin': {
    placeholder: 'duration',
    default: '180d',
    help: 'how long thinned time lines, events, alerts and the audit trail stay; end reports stay for good',
  },
  resolution: {
    placeholder: 'duration',
    default: '500ms',
    help: 'shortest interval between points of a time line; samples in between are merged',
  },
  'alert-memory': {
    placeholder: 'percent',
    default: '95',
    help: 'raise an alert at this share of the memory limit; 0: never',
  },
  'alert-cpu': {
    placeholder: 'percent',
    default: '5',
    help: 'raise an alert below this share of the requested CPUs; 0: never',
  },
  'alert-cpu-window': { placeholder: 'duration', default: '30m', help: 'how long CPU use must stay below that share' },
  'alert-time': {
    placeholder: 'percent',
    default: '90',
    help: 'raise an alert at this share of the time limit; 0: never',
  },
  webhook: { placeholder: 'url', help: 'post alerts to this URL, as JSON' },
  'mail-to': { placeholder: 'list', help: 'send alerts to these addresses' },
  'mail-users': { help: 'send alerts to the owners of the jobs, by their user names' },
  sendmail: { placeholder: 'path', default: '/usr/sbin/sendmail', help: 'the program that sends mail' },
  'alert-key': {
    placeholder: 'key',
    help: 'publish alerts to the exchange, with the routing key <key>.<alert>',
  },
  help: { help: 'print this text' },
} as const satisfies Readonly<Record<string, VerbOption & { readonly help: string }>>;

export type OwnName = keyof typeof OWN;
