import type { Problem } from '../../model/api.js';

/** An answer with a status from 400, as RFC 9457 describes it. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly status: number;

  /** @param detail what to do about it */
  constructor(status: number, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.status = status;
  }
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not logged in',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  413: 'Too large',
  415: 'Unsupported media type',
  429: 'Too many requests',
  502: 'Bad gateway',
  503: 'Not ready',
};

/** What a caller is told of an error. Of an error that nobody foresaw, nothing but that it happened. */
export function problemOf(error: unknown): Problem {
  const { name, message, statusCode, validation } = error as Error & { statusCode?: number; validation?: unknown };
  if (error instanceof ApiProblem) return problem(error.status, message);
  if (name === 'DatabaseError')
    return problem(503, "the store cannot be read at the moment; the collector's log says why");
  if (validation !== undefined) return problem(400, message);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return problem(statusCode, message);
  return problem(500, "internal error; the collector's log has the details");
}

function problem(status: number, detail: string): Problem {
  return { status, title: TITLES[status] ?? 'Error', detail };
}
