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

/** Runs a check; what it throws is its failure. */
export async function attempt(
  name: string,
  work: () => Promise<CheckResult | readonly CheckResult[]>,
): Promise<readonly CheckResult[]> {
  try {
    const results = await work();
    return Array.isArray(results) ? (results as readonly CheckResult[]) : [results as CheckResult];
  } catch (error) {
    const next = error instanceof IngotError ? error.next : undefined;
    const details = error instanceof IngotError && error.allowed ? ` (allowed: ${error.allowed})` : "";
    return [
      failed(
        name,
        maskSecrets(messageOf(error) + details),
        maskSecrets(next ?? "Set INGOT_DEBUG=1 for details."),
      ),
    ];
  }
}
