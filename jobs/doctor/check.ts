/** A check of the doctor: something tried for real, with what was found and what to do about it. */
import { IngotError, messageOf } from "../../lakehouse/errors.ts";
import { maskSecrets } from "../../lakehouse/secrets.ts";

export interface CheckResult {
  readonly name: string;
  /** `warning`: Ingot works, something is amiss. `skipped`: not needed, or not to be known after an earlier failure. */
  readonly status: "ok" | "warning" | "failed" | "skipped";
  readonly found: string;
  /** How to mend it. */
  readonly fix?: string;
}

export const ok = (name: string, found: string): CheckResult => ({ name, status: "ok", found });
export const skipped = (name: string, found: string): CheckResult => ({ name, status: "skipped", found });
export const warning = (name: string, found: string, fix: string): CheckResult => ({
  name,
  status: "warning",
  found,
  fix,
});
export const failed = (name: string, found: string, fix: string): CheckResult => ({
  name,
  status: "failed",
  found,
  fix,
});

/** Runs a check; what it throws is its failure. `fix` is for errors that do not know one. */
export async function attempt(
  name: string,
  fix: string,
  work: () => Promise<CheckResult | readonly CheckResult[]>,
): Promise<readonly CheckResult[]> {
  try {
    return [await work()].flat();
  } catch (error) {
    return [failed(name, reasonOf(error), adviceOf(error) || fix)];
  }
}

/** What an error says to do next, without the sentence that sends its reader to where they are: the doctor. */
function adviceOf(error: unknown): string {
  const next = error instanceof IngotError ? (error.next ?? "") : "";
  return next.replace(/\s*`ingot doctor`[^.]*\./, "");
}

/** What an error says: the message, the offending value unless the message names it, what is allowed. */
export function reasonOf(error: unknown): string {
  const message = messageOf(error) || "failed without a message";
  if (!(error instanceof IngotError)) return message;
  const { value, allowed } = error;
  const shown = typeof value === "string" || typeof value === "number" ? String(value) : "";
  return [
    message,
    shown === "" || message.includes(shown) ? "" : ` (${shown})`,
    allowed ? `; allowed: ${allowed}` : "",
  ].join("");
}

/** The result as it may be shown: whatever a server or a driver put into its text, no password is in it. */
export function withoutSecrets(result: CheckResult): CheckResult {
  const { fix } = result;
  return {
    ...result,
    found: maskSecrets(result.found),
    ...(fix === undefined ? {} : { fix: maskSecrets(fix) }),
  };
}
