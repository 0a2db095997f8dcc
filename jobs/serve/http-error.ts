/** Errors as a client of the API sees them: JSON with a code, and what to do next. */
import { codeOf, IngotError, TransientError } from "../../lakehouse/errors.ts";

interface Details {
  readonly value?: string;
  readonly allowed?: string;
  readonly next: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is an error. */
export class HttpError extends Error {
  readonly status: number;
  readonly code: string;
  readonly details: Details;

  constructor(status: number, code: string, message: string, details: Details) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** Seconds after which a client may ask again. */
const AGAIN = { "retry-after": "1" };

/** Too much is under way already. */
export const tooBusy = (what: string): HttpError =>
  new HttpError(503, "TOO_BUSY", `${what} than this server may have open`, {
    next: "Ask again in a moment, or raise the bound with the options of `ingot serve`.",
    headers: AGAIN,
  });

/** The answer to what was thrown; `unexpected` is told of what nobody foresaw. */
export function errorResponse(error: unknown, unexpected: (error: unknown) => void): Response {
  if (error instanceof HttpError) {
    const { headers, ...details } = error.details;
    return json(error.status, { code: error.code, message: error.message, ...details }, headers);
  }
  if (error instanceof IngotError) {
    const { code, message, next } = error;
    // What the target says is free of secrets; a value is not a client's business.
    return error instanceof TransientError || UNREACHABLE.has(code)
      ? json(503, { code, message, next: next ?? "Ask again in a moment." }, AGAIN)
      : json(500, { code, message, next: next ?? "Tell whoever runs this server." });
  }
  unexpected(error);
  const next = "Tell whoever runs this server: its log says more.";
  return json(500, { code: "INTERNAL", message: "the server has failed", next });
}

const UNREACHABLE = new Set(["REDIS_UNREACHABLE", "REDIS_UNAVAILABLE"]);

/** Name of what a stream of events ended with. */
export const codeForEvent = (error: unknown): string =>
  error instanceof IngotError ? (codeOf(error) ?? "INTERNAL") : "INTERNAL";

function json(status: number, error: object, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${JSON.stringify({ error })}\n`, {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}
