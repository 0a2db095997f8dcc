/** What Redis answers, told apart: what may be tried again, what somebody has to put right. */
import { codeOf, IngotError, messageOf, TerminalError, TransientError } from "../../../lakehouse/errors.ts";

const LOST_CONNECTION =
  /^(Connection is closed|Command timed out|Reached the max retries|Stream isn't writeable|Socket closed|None of startup nodes|Failed to refresh slots|All sentinels are unreachable|Cluster isn't ready)/i;
const SOON_AGAIN = /^(LOADING|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|BUSY)\b/;

/** Codes of the table of retries for a failure of Redis. `movable`: whether somebody else may become the primary. */
export function retryCodes(error: unknown, movable: boolean): readonly string[] {
  const message = rootMessage(error);
  if (SOON_AGAIN.test(message) || (movable && /READONLY/.test(message))) return ["ServiceUnavailable"];
  if (LOST_CONNECTION.test(message)) return ["ECONNRESET"];
  const code = codeOf(error);
  return code === undefined ? [] : [code];
}

/** The error for what Redis refused, or for a connection that stayed lost. */
export function redisError(error: unknown, name: string): unknown {
  if (error instanceof IngotError) return error;
  const message = rootMessage(error);
  // The error of a command carries its arguments, which are rows.
  const details = { value: name, cause: new Error(message) };
  if (/\bOOM\b/.test(message)) {
    return new TransientError(`${name} is out of memory; readers still see the version before`, {
      ...details,
      code: "REDIS_OUT_OF_MEMORY",
      next: "Raise maxmemory (CONFIG SET maxmemory 1gb) or free some, then publish again.",
    });
  }
  if (/READONLY/.test(message)) {
    return new TransientError(`${name} takes no writes: it is a replica`, {
      ...details,
      code: "REDIS_READONLY",
      next: "Point REDIS_URL at the primary, or name the sentinels that know it.",
    });
  }
  if (/NOPERM|ACL failure|no permission/i.test(message)) {
    return new TerminalError(`${name} does not allow it: ${message}`, {
      ...details,
      code: "REDIS_FORBIDDEN",
      next: "Give the user the right, for example: ACL SETUSER name ~ingot:* &ingot:* +@all -@dangerous -@admin.",
    });
  }
  if (/\bMOVED\b|CROSSSLOT/.test(message)) {
    return new TerminalError(`${name} is a cluster`, {
      ...details,
      code: "REDIS_CLUSTER",
      next: "Set `cluster: true` for this target.",
    });
  }
  if (/WRONGTYPE/.test(message)) {
    return new TerminalError(`something else is kept under keys of this set at ${name}`, {
      ...details,
      code: "REDIS_FOREIGN_KEYS",
      next: "Choose another `key` for the publication, or remove what is there.",
    });
  }
  if (/MISCONF|NOREPLICAS/.test(message) || retryCodes(error, true).length > 0) {
    // What the client says of a connection speaks of its own options.
    const isLost = LOST_CONNECTION.test(message);
    const why = isLost ? "cannot be reached, or does not answer" : `cannot be used: ${message}`;
    return new TransientError(`${name} ${why}`, {
      ...details,
      code: "REDIS_UNAVAILABLE",
      next: "Check the server and its log; readers still see the version before.",
    });
  }
  return error;
}

/** Of several errors that are one, as a cluster's, the one that says why. */
function rootMessage(error: unknown): string {
  const last = (error as { lastNodeError?: unknown }).lastNodeError;
  return messageOf(last ?? error);
}
