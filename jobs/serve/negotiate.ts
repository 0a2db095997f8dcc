/** Which form of an answer a request asks for, and whether it has it already. */
import { createHash } from "node:crypto";
import type { VersionStamp } from "../../layers/publish/target.ts";
import { HttpError } from "./http-error.ts";

export const TYPES = {
  json: "application/json",
  arrow: "application/vnd.apache.arrow.stream",
  events: "text/event-stream",
} as const;
export type AnswerFormat = keyof typeof TYPES;

/**
 * The format that is wanted most of those that there are; the first where the client does not care. `?format=` goes before
 * Accept. Throws 400 for a format that is none, 406 where none is acceptable.
 */
export function chooseFormat(
  offered: readonly [AnswerFormat, ...AnswerFormat[]],
  accept: string | undefined,
  named: string | null,
): AnswerFormat {
  if (named !== null) {
    const found = offered.find((format) => format === named);
    if (found !== undefined) return found;
    throw new HttpError(400, "FORMAT_UNKNOWN", "there is no such format of this answer", {
      value: named.slice(0, 100),
      allowed: offered.join(", "),
      next: "Correct `format`, or leave it out.",
    });
  }
  const wanted = parseAccept(accept ?? "*/*");
  const ranked = offered.map((format) => ({ format, weight: weightOf(TYPES[format], wanted) }));
  const best = ranked.reduce((a, b) => (b.weight > a.weight ? b : a));
  if (best.weight > 0) return best.format;
  throw new HttpError(406, "NOT_ACCEPTABLE", "this answer has no form that the request accepts", {
    value: (accept ?? "").slice(0, 200),
    allowed: offered.map((format) => TYPES[format]).join(", "),
    next: "Name one of these types in Accept.",
  });
}

interface Wanted {
  readonly type: string;
  readonly weight: number;
}

function parseAccept(header: string): Wanted[] {
  return header.split(",").flatMap((part) => {
    const [type = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    const quality = parameters.find((text) => text.startsWith("q="));
    const weight = quality === undefined ? 1 : Number(quality.slice(2));
    return type === "" ? [] : [{ type, weight: weight >= 0 && weight <= 1 ? weight : 0 }];
  });
}

/** By the most exact of the ranges that fit: what is refused by name is not allowed by a wildcard. */
function weightOf(type: string, wanted: readonly Wanted[]): number {
  const ranges = [type, `${type.split("/")[0]}/*`, "*/*"];
  const fits = ranges.flatMap((range) => wanted.filter((w) => w.type === range).slice(0, 1));
  return fits[0]?.weight ?? 0;
}

/**
 * Entity tag of a version in a format. It begins with the version's token; the rest is of the whole stamp, for the same
 * version may be published again where it is declared otherwise.
 */
export function versionTag(stamp: VersionStamp, format: AnswerFormat): string {
  return `"${stamp.token}.${format}.${digest(JSON.stringify(stamp))}"`;
}

/** Entity tag of a text. */
export const textTag = (text: string): string => `"${digest(text)}"`;

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);

/** Whether the client has what this tag names; as caches compare tags. */
export function isKnown(tag: string, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(",").map((text) => text.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(tag);
}
