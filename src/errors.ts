/** The class of an error says who must act: the user, the site's administrator, or the broker's administrator. */

/** The user asked for something that cannot be parsed or granted. Exit status 125. */
export class SpecError extends Error {
  override readonly name: string = 'SpecError';
}

/** The host lacks something that an administrator must provide. Exit status 125. */
export class EnvironmentError extends Error {
  override readonly name: string = 'EnvironmentError';
}

/** The broker refused or did not answer. This error never ends a job. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
}

/**
 * Compares errors by name and not with `instanceof`, because each bundle has its own classes and an error may come from
 * another bundle.
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
 * Words an error for the log. An unexpected error shows its stack only with `debug`: to most people it is noise, and it may
 * quote secrets.
 */
export function describeError(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return `internal error: ${String(error)}`;
  if (isNamed(error, 'SpecError', 'EnvironmentError', 'BrokerError')) return error.message;
  return `internal error: ${debug ? error.stack : `${error.message}; --debug shows where it comes from`}`;
}
