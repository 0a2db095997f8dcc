/** One row of a lookup by its key. */
import { codeOf, TransientError } from "../../lakehouse/errors.ts";
import { NO_LOOKUP } from "../../layers/publish/version-schema.ts";
import { CACHE_CONTROL, type Request } from "./answer-set.ts";
import { HttpError } from "./http-error.ts";
import { chooseFormat, isKnown, TYPES, textTag } from "./negotiate.ts";
import { lookupKey, type ServedSet } from "./served-sets.ts";

/** Throws 400 where the set is no lookup or the key has other parts, 404 where there is no such row. */
export async function answerRow(
  request: Request,
  served: ServedSet,
  parts: readonly string[],
): Promise<Response> {
  const { set, source } = served;
  chooseFormat(["json"], request.accept, null);
  const key = lookupKey(served);
  if (key === undefined) {
    throw new HttpError(400, "NOT_A_LOOKUP", "rows of this set cannot be looked up", {
      value: set,
      next: 'Publish it with `as: { kind: "lookup" }`, or read it whole.',
    });
  }
  if (key.length !== parts.length) {
    throw new HttpError(400, "KEY_INVALID", "the key does not have the parts that this lookup has", {
      value: parts.join("/").slice(0, 200),
      allowed: key.join("/"),
      next: "Give a value for each of these columns, in this order.",
    });
  }
  const row = await source.target.readRow(set, parts).catch((error: unknown) => {
    throw codeOf(error) === NO_LOOKUP ? notYetLookup(set) : error;
  });
  if (row === undefined) {
    throw new HttpError(404, "ROW_UNKNOWN", "there is no row with this key", {
      value: parts.join("/").slice(0, 200),
      next: `GET /v1/${set} has all rows.`,
    });
  }
  const text = `${JSON.stringify(row)}\n`;
  const headers = { "content-type": TYPES.json, etag: textTag(text), "cache-control": CACHE_CONTROL };
  if (isKnown(headers.etag, request.ifNoneMatch)) return new Response(null, { status: 304, headers });
  return new Response(request.headOnly ? null : text, { headers });
}

/** Declared as a lookup; what is published was so in another form. */
const notYetLookup = (set: string) =>
  new TransientError(`${set} is not yet published as a lookup`, {
    code: "NOT_YET_A_LOOKUP",
    value: set,
    next: "Ask again after the next publication.",
  });
