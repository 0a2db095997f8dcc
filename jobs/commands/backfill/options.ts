/** What a backfill is asked, and whether it may go on. */
import { InvalidArgumentError } from "commander";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { GlobalOptions } from "../../runtime.ts";
import { confirm } from "../../terminal/confirm.ts";

export interface BackfillOptions extends GlobalOptions {
  readonly from: string;
  readonly to: string;
  readonly column?: string;
  readonly chunk?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly anew?: boolean;
  readonly accept?: boolean;
  readonly concurrency?: number;
  readonly pause?: number;
  readonly maxMbPerSecond?: number;
}

/** The options as layers have them. */
export const requestOf = (reference: string, { pause, maxMbPerSecond, ...options }: BackfillOptions) => ({
  ...options,
  model: reference,
  pauseSeconds: pause,
  megabytesPerSecond: maxMbPerSecond,
});

/** Chunks, or statements, at once. */
export function atOnce(text: string): number {
  if (!/^[1-9]\d?$/.test(text) || Number(text) > 64)
    throw new InvalidArgumentError("It takes a whole number, 1 to 64.");
  return Number(text);
}

const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, min: 60 };

/** Seconds of a pause: `2`, `2s`, `500ms`, `1min`. */
export function pauseSeconds(text: string): number {
  const [, count = "", unit = "s"] = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s|min)?$/.exec(text) ?? [];
  const seconds = count === "" ? Number.NaN : Number(count) * (UNITS[unit] ?? 1);
  if (!(seconds <= 3600))
    throw new InvalidArgumentError("It takes a time such as 2s, 500ms or 1min, at most an hour.");
  return seconds;
}

/** Asks where there is somebody to ask. Throws `BACKFILL_UNCONFIRMED` where there is not. */
export async function mayGoOn({ yes, json }: BackfillOptions): Promise<boolean> {
  if (yes) return true;
  if (!json && process.stdin.isTTY && process.stdout.isTTY) {
    if (await confirm("Go on?", process.stdin, process.stdout)) return true;
    process.stdout.write("Nothing was done.\n");
    return false;
  }
  throw new TerminalError("nobody is here to say that this is to be done", {
    code: "BACKFILL_UNCONFIRMED",
    allowed: "--yes, or --dry-run",
    next: "Look at what --dry-run says, then run it with --yes.",
  });
}
