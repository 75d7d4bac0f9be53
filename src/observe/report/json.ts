import type { BoxFacts } from './facts.js';
import type { Group } from './group.js';
import type { JobReport } from './job-report.js';

/** The report as JSON: keys in snake_case, units last, null for what is not known; docs/observe.md describes them. */
export function reportJson(report: JobReport): object {
  const { job, jobs, user, scheduler, cluster, queue, total, nodes, boxes, ends, earlier, startedMs, endedMs, notes } =
    report;
  return {
    job,
    jobs,
    user,
    scheduler,
    cluster,
    queue,
    started: timeText(startedMs),
    ended: endedMs === null ? null : timeText(endedMs),
    total: groupJson(total),
    nodes: nodes.map((node) => ({ node: node.name, ...groupJson(node) })),
    boxes: boxes.map(boxJson),
    earlier_boxes: earlier,
    ends: ends.map(({ reason, exitStatus, signal, why, boxes: count, first }) => ({
      reason,
      exit_status: exitStatus,
      signal,
      why,
      boxes: count,
      first_box: first.identity.box,
    })),
    notes,
  };
}

function groupJson(group: Group): object {
  return {
    boxes: group.boxes,
    running: group.running,
    wall_ms: Math.round(group.wallMs),
    cpu_sec: group.cpuSec,
    cores_used: group.coresUsed,
    cores_asked: group.coresAsked,
    cores_idle: group.coresAsked === null ? null : Math.max(0, group.coresAsked - group.coresUsed),
    cpu_percent: group.cpuPercent,
    memory_peak_bytes: group.memoryPeakBytes,
    memory_limit_bytes: group.memoryLimitBytes,
    memory_percent: group.memoryPercent,
    memory_unused_bytes:
      group.memoryLimitBytes === null ? null : Math.max(0, group.memoryLimitBytes - group.memoryPeakBytes),
    memory_peak_sum_bytes: group.memoryPeakSumBytes,
    time_used_ms: Math.round(group.timeUsedMs),
    time_limit_ms: group.timeLimitMs,
    oom_kills: group.oomKills,
    throttled_ms: group.throttledMs,
    read_bytes: group.readBytes,
    write_bytes: group.writeBytes,
    stdout_bytes: group.stdoutBytes,
  };
}

function boxJson(box: BoxFacts): object {
  const { identity } = box;
  return {
    box: identity.box,
    job: identity.job,
    step: identity.step,
    task: identity.task,
    host: identity.host,
    node: identity.node,
    restart: identity.restart,
    state: box.state,
    reason: box.reason,
    exit_status: box.exitStatus,
    signal: box.signal,
    why: box.why,
    elapsed_ms: box.elapsedMs,
    suspended_ms: box.suspendedMs,
    cpu_sec: box.cpuSec,
    cores: box.cores,
    memory_peak_bytes: box.memoryPeakBytes,
    cgroup_memory_peak_bytes: box.chargedPeakBytes,
    memory_limit_bytes: box.memoryLimitBytes,
    time_used_ms: box.timeUsedMs,
    time_limit_ms: box.timeLimitMs,
    oom_kills: box.oomKills,
    throttled_ms: box.throttledMs,
    stalled_ms: box.stalledMs,
    read_bytes: box.readBytes,
    write_bytes: box.writeBytes,
    stdout_bytes: box.stdoutBytes,
    processes_peak: box.processesPeak,
    threads_peak: box.threadsPeak,
    forks_refused: box.forksRefused,
    limits: box.limits,
    dropped: box.dropped,
  };
}

/** RFC 3339; a time that no calendar has is null. */
function timeText(ms: number): string | null {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : null;
}
