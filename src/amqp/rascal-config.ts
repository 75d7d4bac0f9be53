import { SpecError } from '../errors.js';
import { didYouMean, quote } from '../spec/words.js';

/**
 * What a site may set with --rascal-config, in rascal's own words and shape. Topology that the contract fixes (keys,
 * one exclusive queue per connection, confirms, no recovery by rascal) cannot be changed; docs/broker.md.
 */
export interface SiteConfig {
  readonly connection?: { readonly options?: Fields; readonly socketOptions?: Fields };
  readonly exchange?: { readonly options?: Fields };
  readonly queue?: { readonly arguments?: Fields };
  readonly publications?: { readonly statistics?: Fields; readonly replies?: Fields };
}

type Fields = Readonly<Record<string, unknown>>;
type Type = 'number' | 'boolean' | 'string' | 'object';
/** A type is a leaf; an object is a level with these keys and no other. */
type Shape = { readonly [key: string]: Type | Shape };

const PUBLICATION: Shape = { persistent: 'boolean', expiration: 'string', priority: 'number', headers: 'object' };

const SHAPE: Shape = {
  connection: {
    options: {
      heartbeat: 'number',
      channelMax: 'number',
      frameMax: 'number',
      locale: 'string',
    },
    socketOptions: {
      timeout: 'number',
      noDelay: 'boolean',
      keepAlive: 'boolean',
      keepAliveDelay: 'number',
      localAddress: 'string',
      family: 'number',
      ca: 'string',
      cert: 'string',
      key: 'string',
      passphrase: 'string',
      servername: 'string',
      rejectUnauthorized: 'boolean',
      minVersion: 'string',
      maxVersion: 'string',
      ciphers: 'string',
      clientProperties: 'object',
    },
  },
  exchange: {
    options: {
      durable: 'boolean',
      autoDelete: 'boolean',
      internal: 'boolean',
      alternateExchange: 'string',
      arguments: 'object',
    },
  },
  queue: { arguments: 'object' },
  publications: { statistics: PUBLICATION, replies: PUBLICATION },
};

/**
 * @param value parsed content of the file
 * @throws SpecError that names the key: unknown, or of the wrong type
 */
export function checkRascalConfig(value: unknown): SiteConfig {
  check(value, SHAPE, '');
  return value as SiteConfig;
}

function check(value: unknown, shape: Shape, path: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SpecError(`rascal configuration: ${path === '' ? 'the whole' : `"${path}"`} is not a mapping`);
  }
  for (const [key, field] of Object.entries(value)) {
    const inner = path === '' ? key : `${path}.${key}`;
    if (!Object.hasOwn(shape, key)) {
      throw new SpecError(`rascal configuration: unknown key ${quote(inner)}${didYouMean(key, Object.keys(shape))}`);
    }
    const expected = shape[key]!;
    if (typeof expected !== 'string') check(field, expected, inner);
    else if (!isOf(field, expected))
      throw new SpecError(`rascal configuration: ${quote(inner)} is not ${words(expected)}`);
  }
}

function isOf(value: unknown, type: Type): boolean {
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  if (type === 'number') return typeof value === 'number' && Number.isFinite(value) && value >= 0;
  return typeof value === type;
}

function words(type: Type): string {
  return { number: 'a number of 0 or more', boolean: 'true or false', string: 'a string', object: 'a mapping' }[type];
}
