/** Who must act is told by the class: the user, the site's administrator, or the broker's. */

/** The user asked for something that cannot be parsed or granted. Exit status 125. */
export class SpecError extends Error {
  override readonly name: string = 'SpecError';
}

/** The host lacks something that an administrator must provide. Exit status 125. */
export class EnvironmentError extends Error {
  override readonly name: string = 'EnvironmentError';
}

/** The broker refused or did not answer. Never ends a job. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
}

/**
 * Errors are told apart by their names, and never by `instanceof`: each bundle has classes of its own, and an error may come
 * from another one.
 */
function isNamed(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

export function isSpecError(error: unknown): error is SpecError {
  return isNamed(error, 'SpecError');
}

export function isEnvironmentError(error: unknown): error is EnvironmentError {
  return isNamed(error, 'EnvironmentError');
}

export function isBrokerError(error: unknown): error is BrokerError {
  return isNamed(error, 'BrokerError');
}

/**
 * An error for the log. One that nobody foresaw shows where it came from with `debug` only: people read source text as
 * noise, and it may quote what nobody should see.
 */
export function describeError(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return `internal error: ${String(error)}`;
  if (isNamed(error, 'SpecError', 'EnvironmentError', 'BrokerError')) return error.message;
  return `internal error: ${debug ? error.stack : `${error.message}; --debug shows where it comes from`}`;
}
