/** Who must act is told by the class: the user, the site's administrator, or the broker's. */

/** The user asked for something that cannot be parsed or granted. Exit status 125. */
export class SpecError extends Error {
  override readonly name: string = 'SpecError';
}

/** By name: each bundle has classes of its own, and an error may come from another one. */
export function isSpecError(error: unknown): error is SpecError {
  return error instanceof Error && error.name === 'SpecError';
}

/** As `isSpecError`. */
export function isEnvironmentError(error: unknown): error is EnvironmentError {
  return error instanceof Error && error.name === 'EnvironmentError';
}

/** The host lacks something that an administrator must provide. Exit status 125. */
export class EnvironmentError extends Error {
  override readonly name: string = 'EnvironmentError';
}

/** The broker refused or did not answer. Never ends a job. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
}

/** Errors of ours have a message for whoever must act. By name: see `isSpecError`. */
const EXPECTED = ['SpecError', 'EnvironmentError', 'BrokerError'];

/**
 * An error for the log. One that nobody foresaw shows where it came from with `debug` only: people read source text as
 * noise, and it may quote what nobody should see.
 */
export function describeError(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return `internal error: ${String(error)}`;
  if (EXPECTED.includes(error.name)) return error.message;
  return `internal error: ${debug ? error.stack : `${error.message}; --debug shows where it comes from`}`;
}
