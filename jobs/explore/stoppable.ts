/** Statements that a signal stops: Ctrl-C, or time that is up. */
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { TerminalError } from "../../lakehouse/errors.ts";

/** An engine that has not begun yet overhears an interruption: it is told again until it has stopped. */
const AGAIN_AFTER = 50;

/** Runs work of a session; once the signal is aborted it rejects with `SQL_TIMEOUT` or `SQL_STOPPED`. */
export async function stoppable<T>(
  session: Session,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (signal === undefined) return work();
  if (signal.aborted) throw stopped(signal);
  let again: NodeJS.Timeout | undefined;
  const interrupt = () => {
    session.interrupt();
    again = setInterval(() => session.interrupt(), AGAIN_AFTER);
  };
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    return await work();
  } catch (error) {
    throw signal.aborted ? stopped(signal) : error;
  } finally {
    signal.removeEventListener("abort", interrupt);
    clearInterval(again);
  }
}

/** The error of a statement that this signal stopped. */
export function stopped(signal: AbortSignal): TerminalError {
  const reason: unknown = signal.reason;
  if (reason instanceof DOMException && reason.name === "TimeoutError")
    return new TerminalError("the statement took longer than it may", {
      code: "SQL_TIMEOUT",
      next: "Give it more time with --timeout, or .timeout at the prompt; or ask for less.",
    });
  return new TerminalError("the statement was stopped", { code: "SQL_STOPPED" });
}
