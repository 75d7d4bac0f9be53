import { killOf } from '../kill.js';
import type { Bench, Row } from '../measure.js';
import { startAgent } from './start.js';

/** Time from publishing `kill` to the death of a job that an agent serves. */
export async function agentKill(bench: Bench): Promise<Row[]> {
  await using agent = await startAgent(bench, bench.brokerUri);
  return await killOf(bench, 'publish of kill to death of the job, agent', agent.options);
}
