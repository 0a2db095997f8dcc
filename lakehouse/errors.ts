/**
 * Every error that Ingot raises on purpose is one of two kinds: terminal (the same call will fail again until
 * someone changes something) or transient (the same call may succeed later). Both say what was wrong, the value,
 * what is allowed and what to do next, so that a terminal or a log line can be acted on.
 */

/** Details of an error. `value` must never be a secret: it is printed. */
export interface ErrorDetails {
  /** Stable, machine-readable, SCREAMING_SNAKE. */
  readonly code: string;
  /** The offending value, already free of secrets. */
  readonly value?: unknown;
  /** What would have been accepted. */
  readonly allowed?: string;
  /** What the reader should do. */
  readonly next?: string;
  readonly cause?: unknown;
}

/** Names the kind of an error across copies of this module. */
const KIND = Symbol.for("ingot.error.kind");

/** Whether an object was made by this class, or by the same class of another copy. */
function isKind(value: unknown, kind: "terminal" | "transient" | undefined): boolean {
  if (typeof value !== "object" || value === null) return false;
  const found = (value as { [KIND]?: unknown })[KIND];
  return kind === undefined ? found !== undefined : found === kind;
}

/**
 * Base of both kinds; catch it to print, catch a subclass to decide. `instanceof` goes by a brand: a pipeline is
 * loaded from source beside the compiled library, and an error it throws must still be known here.
 */
export abstract class IngotError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isKind(value, undefined);
  }

  readonly code: string;
  readonly value?: unknown;
  readonly allowed?: string;
  readonly next?: string;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = details.code;
    if (details.value !== undefined) this.value = details.value;
    if (details.allowed !== undefined) this.allowed = details.allowed;
    if (details.next !== undefined) this.next = details.next;
  }
}

/** The same call fails again until configuration, data or code changes. */
export class TerminalError extends IngotError {
  readonly [KIND] = "terminal";
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isKind(value, "terminal");
  }
}

/** The same call may succeed later: a service was away, a race was lost too often. */
export class TransientError extends IngotError {
  readonly [KIND] = "transient";
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isKind(value, "transient");
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node or Postgres error, if it has one. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
