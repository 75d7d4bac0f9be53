/**
 * cgroup-utils-native: the typed boundary between TypeScript and the kernel. It knows nothing about AMQP, options or
 * schedulers.
 */
export * from './types/agent.js';
export * from './types/events.js';
export * from './types/files.js';
export * from './types/keeper.js';
export * from './types/own-process.js';
export * from './types/processes.js';
