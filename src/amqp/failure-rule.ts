import type { Endpoint } from './config.js';

/** What a failure that the broker, amqplib or Node tells is in our words. The first rule that matches counts. */
export interface FailureRule {
  readonly match: RegExp;
  /** Failures of one kind are logged once. */
  readonly kind: string;
  /** @param found what the first group of `match` has found, or the whole text. @param second what the second one has */
  readonly text: (endpoint: Endpoint, found: string, second: string) => string;
  /** Trying again will not help until someone has acted. @default false */
  readonly permanent?: boolean;
  /** Trying again may help by itself, but not soon. @default false */
  readonly slow?: boolean;
}

/** The exchange, and the type that it has; RabbitMQ compares types before anything else. */
export const IS_OF_OTHER_TYPE = /inequivalent arg 'type' for exchange '(.*?)'.*?current is '?(\w+)/;
