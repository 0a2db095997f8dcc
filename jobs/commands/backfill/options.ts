/** What a backfill is asked, and whether it may go on. */
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
