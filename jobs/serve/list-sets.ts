/** What is served, and which version of it is the newest. */
import pLimit from "p-limit";
import { CACHE_CONTROL, type Request } from "./answer-set.ts";
import { HttpError } from "./http-error.ts";
import { chooseFormat, isKnown, TYPES, textTag } from "./negotiate.ts";
import { lookupKey, type ServedSet } from "./served-sets.ts";

/** Stamps that are asked for at once. */
const AT_ONCE = 8;

/** All sets, or those of a pipeline; throws 404 where there is no such pipeline. */
export async function listSets(
  request: Request,
  sets: ReadonlyMap<string, ServedSet>,
  pipeline: string | undefined,
): Promise<Response> {
  chooseFormat(["json"], request.accept, null);
  const listed = [...sets.values()].filter(
    ({ set }) => pipeline === undefined || set.startsWith(`${pipeline}/`),
  );
  if (pipeline !== undefined && listed.length === 0) {
    throw new HttpError(404, "PIPELINE_UNKNOWN", "no pipeline of this name publishes anything", {
      value: pipeline.slice(0, 200),
      allowed: [...new Set([...sets.keys()].map((set) => set.split("/")[0]))].join(", "),
      next: "GET /v1/ lists what there is.",
    });
  }
  const limit = pLimit(AT_ONCE);
  const described = await Promise.all(listed.map((served) => limit(() => describe(served))));
  const text = `${JSON.stringify({ sets: described })}\n`;
  const headers = { "content-type": TYPES.json, etag: textTag(text), "cache-control": CACHE_CONTROL };
  if (isKnown(headers.etag, request.ifNoneMatch)) return new Response(null, { status: 304, headers });
  return new Response(request.headOnly ? null : text, { headers });
}

async function describe(served: ServedSet) {
  const { set, declared, source } = served;
  const key = lookupKey(served);
  return {
    set,
    title: declared.title,
    kind: declared.as?.kind ?? "list",
    ...(key === undefined ? {} : { key }),
    path: `/v1/${set}`,
    version: (await source.stamp(set)) ?? null,
  };
}
