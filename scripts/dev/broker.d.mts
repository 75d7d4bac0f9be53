/** A private RabbitMQ on loopback; see broker.mjs. */
export interface PrivateBroker {
  readonly uri: string;
  readonly port: number;
  readonly dir: string;
  /** The environment for its commands: rabbitmqctl, rabbitmq-plugins. */
  readonly env: Record<string, string>;
  /** Process id of the Erlang machine; null when the broker is down. */
  readonly pid: number | null;
  start(): Promise<void>;
  stop(): Promise<void>;
  down(): Promise<void>;
  kill9(): Promise<void>;
  restart(): Promise<void>;
  ctl(...args: string[]): Promise<string>;
}

export function startBroker(options?: {
  dir?: string;
  users?: { name: string; password: string; tags?: string }[];
  vhosts?: string[];
  permissions?: object[];
  topicPermissions?: object[];
  conf?: string;
  ports?: number[];
  plugins?: string[];
  port?: number;
}): Promise<PrivateBroker>;

/** Free ports on loopback. */
export function freePorts(count: number, first?: number): Promise<number[]>;
