import { after, type Delay } from '../delay.js';

/** @returns whether `work` ended within `ms`; leaves no timer behind */
export async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let wait: Delay | undefined;
  const late = new Promise<boolean>((resolve) => {
    wait = after(ms, () => resolve(false));
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    wait?.cancel();
  }
}
