import { TerminalError } from "../../errors.ts";

/** The error of a deletion vector that cannot be what its writer meant: damaged bytes or a descriptor that lies. */
export function badVector(reason: string, value?: unknown, cause?: unknown): TerminalError {
  return new TerminalError(`a deletion vector cannot be read: ${reason}`, {
    code: "DELTA_BAD_DELETION_VECTOR",
    value,
    next: "Its file or the log is damaged; read an earlier version of the table, or restore the file.",
    cause,
  });
}
