import type { IoLimit } from './types.js';
import type { DeviceUsage } from './usage.js';

const KEYS = ['rbps', 'wbps', 'riops', 'wiops'] as const;

/** Formats a line of v2's io.max: `8:0 rbps=1048576 wiops=max`. */
export function formatIoMax(limit: IoLimit): string {
  const parts = KEYS.filter((key) => limit[key] !== undefined).map(
    (key) => `${key}=${limit[key] === 'unlimited' ? 'max' : limit[key]}`,
  );
  return [limit.device, ...parts].join(' ');
}

/** Parses v2's io.max, in which only devices with a limit have a line. */
export function parseIoMax(text: string): readonly IoLimit[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [device = '', ...parts] = line.split(' ');
      const limit: Record<string, number | 'unlimited'> = {};
      for (const part of parts) {
        const [key = '', value = ''] = part.split('=');
        if ((KEYS as readonly string[]).includes(key)) limit[key] = value === 'max' ? 'unlimited' : Number(value);
      }
      return { device, ...limit };
    });
}

/** Parses v2's io.stat: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`. */
export function parseIoStat(text: string): readonly DeviceUsage[] {
  const devices: DeviceUsage[] = [];
  for (const line of text.split('\n')) {
    const [device = '', ...parts] = line.split(' ');
    const field = (key: string) => Number(parts.find((part) => part.startsWith(`${key}=`))?.slice(key.length + 1) ?? 0);
    if (device.includes(':') && parts.length > 0) {
      devices.push({
        device,
        readBytes: field('rbytes'),
        writeBytes: field('wbytes'),
        readCount: field('rios'),
        writeCount: field('wios'),
      });
    }
  }
  return devices;
}

/** The v1 file of each part of an IoLimit. */
export const V1_THROTTLE = {
  rbps: 'blkio.throttle.read_bps_device',
  wbps: 'blkio.throttle.write_bps_device',
  riops: 'blkio.throttle.read_iops_device',
  wiops: 'blkio.throttle.write_iops_device',
} as const;

/**
 * Parses the v1 files, with lines such as `8:0 1048576`. Like v2's io.max, the result has only devices with a limit.
 * @param read reads one of the files in V1_THROTTLE
 */
export function parseV1IoMax(read: (file: string) => string): readonly IoLimit[] {
  const devices = new Map<string, Record<string, number | 'unlimited'>>();
  for (const [key, file] of Object.entries(V1_THROTTLE)) {
    for (const line of read(file).split('\n')) {
      const [device = '', value] = line.split(' ');
      if (value === undefined) continue;
      const row = devices.get(device) ?? Object.fromEntries(KEYS.map((other) => [other, 'unlimited' as const]));
      row[key] = Number(value);
      devices.set(device, row);
    }
  }
  return [...devices].map(([device, limits]) => ({ device, ...limits }));
}

/** Parses v1's blkio.throttle.io_service_bytes and io_serviced: `8:0 Read 4096`. */
export function parseV1Io(bytes: string, serviced: string): readonly DeviceUsage[] {
  const devices = new Map<string, { -readonly [Key in keyof DeviceUsage]: DeviceUsage[Key] }>();
  const add = (text: string, read: 'readBytes' | 'readCount', write: 'writeBytes' | 'writeCount') => {
    for (const line of text.split('\n')) {
      const [device = '', kind, value = '0'] = line.split(' ');
      if (!device.includes(':') || (kind !== 'Read' && kind !== 'Write')) continue;
      const row = devices.get(device) ?? { device, readBytes: 0, writeBytes: 0, readCount: 0, writeCount: 0 };
      row[kind === 'Read' ? read : write] = Number(value);
      devices.set(device, row);
    }
  };
  add(bytes, 'readBytes', 'writeBytes');
  add(serviced, 'readCount', 'writeCount');
  return [...devices.values()];
}
