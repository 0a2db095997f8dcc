/** What a check of a table found. */
import { IngotError, messageOf } from "../../../errors.ts";

export interface Finding {
  /** `error`: rows are lost, wrong or cannot be read. `warning`: amiss, and no row is. `info`: good to know. */
  readonly severity: "error" | "warning" | "info";
  /** Stable, lower case with dashes. */
  readonly code: string;
  readonly message: string;
  /** Files, versions or counts that it is about. */
  readonly value?: string;
  /** What to do. */
  readonly next?: string;
}

/** Names that a finding spells out. */
const SHOWN = 5;

/** Some names, and how many more there are. */
export function someOf(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return [...names.slice(0, SHOWN), ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
}

/** Runs a part of the check; what it throws is a finding of its own. */
export async function examined(
  code: string,
  work: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await work();
  } catch (error) {
    return [fromError(code, error)];
  }
}

/** An error as a finding. */
export function fromError(code: string, error: unknown): Finding {
  const known = error instanceof IngotError ? error : undefined;
  return {
    severity: "error",
    code,
    message: messageOf(error),
    ...(known?.value === undefined ? {} : { value: String(known.value) }),
    ...(known?.next === undefined ? {} : { next: known.next }),
  };
}
