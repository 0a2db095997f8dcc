/** What a failed read of the source means. */
import { codeOf, messageOf, TransientError } from "../../../lakehouse/errors.ts";

const AGAIN = "Run the same command again: what was committed stays, the rest is read again.";

/** The error of a statement that reads, told apart by what helps against it. Others are passed on as they are. */
export function readError(error: unknown): unknown {
  const code = codeOf(error) ?? "";
  const message = messageOf(error);
  if (/conflict with recovery/.test(message)) {
    return new TransientError("the standby ended a read that was in the way of its replication", {
      code: "POSTGRES_RECOVERY_CONFLICT",
      value: message,
      next: `${AGAIN} To keep it from happening: hot_standby_feedback = on, or a larger max_standby_streaming_delay, on the standby.`,
      cause: error,
    });
  }
  if (code === "57014" && /statement timeout/.test(message)) {
    return new TransientError("a statement took longer than the source is to be bothered with", {
      code: "POSTGRES_STATEMENT_TIMEOUT",
      value: message,
      allowed: "limits.statementSeconds of the pipeline's source",
      next: "What was committed stays. Raise limits.statementSeconds, or read when the source has less to do.",
      cause: error,
    });
  }
  // Class 08 and 57: the connection or the server went away. A message without code is the client's own.
  const cut = /Connection terminated|not queryable|Client was closed|Query read timeout/.test(message);
  // A shared snapshot ends with the connection that took it.
  const orphaned = /^(snapshot ".*" does not exist|invalid snapshot identifier)/.test(message);
  if (/^(08|57)/.test(code) || ["ECONNRESET", "EPIPE"].includes(code) || cut || orphaned) {
    return new TransientError("Postgres ended the connection", {
      code: "POSTGRES_CONNECTION_LOST",
      value: code || message,
      next: AGAIN,
      cause: error,
    });
  }
  return error;
}

/** Runs work on the source; what fails is told as `readError` does. */
export async function readingSource<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw readError(error);
  }
}
