import { TransientError } from "../../../../lakehouse/errors.ts";

/** A stream of changes that ended unasked. */
export function lostStream(why: string, cause?: unknown): TransientError {
  return new TransientError("Postgres ended the stream of changes", {
    code: "POSTGRES_CONNECTION_LOST",
    value: why,
    next: "Run the same command again: what was committed stays, the stream goes on behind it.",
    cause,
  });
}
