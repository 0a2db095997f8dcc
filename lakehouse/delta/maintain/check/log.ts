/** Checks of the log: commits without gaps, checkpoints that can be read, the hint. */
import { z } from "zod";
import type { ObjectStore } from "../../../store/store.ts";
import { type LogListing, listLog } from "../../log/listing.ts";
import { readableRanges } from "../../log/segment.ts";
import { LAST_CHECKPOINT, parseLogName, VERSIONED } from "../../log.ts";
import { type Finding, someOf } from "./finding.ts";

/** Everything that a listing and the hint tell. */
export async function checkLog(store: ObjectStore): Promise<Finding[]> {
  const listing = await listLog(store);
  return [...gaps(listing), ...(await brokenParts(store, listing)), ...(await checkHint(store, listing))];
}

function gaps(listing: LogListing): Finding[] {
  const versions = [...listing.commits.keys()];
  const [first = 0, newest = -1] = [versions[0], versions.at(-1)];
  const missing: number[] = [];
  for (let version = first; version < newest; version++)
    if (!listing.commits.has(version)) missing.push(version);
  if (missing.length === 0) return [];
  const reaches = readableRanges(listing).at(-1)?.[1] === newest;
  const readable = readableRanges(listing).map((range) => range.join(" to "));
  return [
    {
      severity: reaches ? "warning" : "error",
      code: "log-gap",
      message: reaches
        ? "commits are missing before the newest checkpoint: those versions cannot be read"
        : "commits are missing after the newest checkpoint: the newest versions cannot be read",
      value: someOf(missing.map((version) => `version ${version}`)),
      next: `Restore the files of _delta_log; readable are ${readable.join(", ") || "no versions"}.`,
    },
  ];
}

/** Parts of checkpoints whose other parts are not there. */
async function brokenParts(store: ObjectStore, { checkpoints }: LogListing): Promise<Finding[]> {
  const incomplete = new Set<number>();
  for (const { path } of await store.list(VERSIONED)) {
    const file = parseLogName(path);
    if (file?.kind === "checkpoint" && !checkpoints.has(file.version)) incomplete.add(file.version);
  }
  if (incomplete.size === 0) return [];
  return [
    {
      severity: "warning",
      code: "checkpoint-incomplete",
      message: "parts of checkpoints are missing; readers pass these checkpoints over",
      value: someOf([...incomplete].map((version) => `version ${version}`)),
      next: "Nothing is lost while the commits are there; the next checkpoint takes their place.",
    },
  ];
}

/** What else it says, sizes above all, engines count in different ways. */
const hintSchema = z.looseObject({ version: z.number().int().nonnegative() });

async function checkHint(store: ObjectStore, listing: LogListing): Promise<Finding[]> {
  const bytes = await store.get(LAST_CHECKPOINT);
  if (bytes === undefined) return [];
  const next =
    "Delete _delta_log/_last_checkpoint: readers then list the log, and the next checkpoint writes it anew.";
  const amiss = (message: string, value: unknown): Finding[] => [
    { severity: "warning", code: "hint-wrong", message, value: String(value), next },
  ];
  const hint = parseHint(Buffer.from(bytes).toString());
  if (hint === undefined)
    return amiss("_last_checkpoint cannot be read", Buffer.from(bytes).toString().slice(0, 100));
  if (listing.checkpoints.has(hint.version)) return [];
  return amiss("_last_checkpoint names a checkpoint that is not there", hint.version);
}

function parseHint(text: string): z.infer<typeof hintSchema> | undefined {
  try {
    return hintSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
