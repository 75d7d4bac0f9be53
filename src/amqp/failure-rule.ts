import type { Endpoint } from './config.js';

/**
 * Recognizes a failure reported by the broker, amqplib or Node, and words it for our log. The first rule that matches
 * counts.
 */
export interface FailureRule {
  readonly match: RegExp;
  /** Failures of one kind are logged once. */
  readonly kind: string;
  /**
   * @param found the first group of `match`, or the whole text if there is no group
   * @param second the second group of `match`, or the empty string
   */
  readonly text: (endpoint: Endpoint, found: string, second: string) => string;
  /** Retries will not help until someone has acted. @default false */
  readonly permanent?: boolean;
  /** Retries may help without anyone acting, but not soon. @default false */
  readonly slow?: boolean;
}

/** Finds the exchange and its actual type. RabbitMQ compares types before anything else. */
export const IS_OF_OTHER_TYPE = /inequivalent arg 'type' for exchange '(.*?)'.*?current is '?(\w+)/;
