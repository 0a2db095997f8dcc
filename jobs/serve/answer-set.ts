/** The newest version of a set as JSON or Arrow, unless the client has it already. */
import type { PublishedVersion, VersionStamp } from "../../layers/publish/target.ts";
import { bodyOf, versionJson } from "./answer-stream.ts";
import { typedRows } from "./arrow-rows.ts";
import type { Counter } from "./bounds.ts";
import { HttpError } from "./http-error.ts";
import { type AnswerFormat, chooseFormat, isKnown, TYPES, versionTag } from "./negotiate.ts";
import type { ServedSet } from "./served-sets.ts";

/** What of a request an answer depends on, beside its path. */
export interface Request {
  /** HEAD: an answer has no body. */
  readonly headOnly: boolean;
  readonly accept: string | undefined;
  readonly ifNoneMatch: string | undefined;
  /** Places for answers that are in memory. */
  readonly answers: Counter;
  /** Milliseconds after which an answer that is not taken whole is given up. */
  readonly longest: number;
  /** Ends the connection. */
  readonly sever: () => void;
}

/** Kept by whoever likes to, but asked for each time: a version that is not the newest is never shown for it. */
export const CACHE_CONTROL = "no-cache";

/** `format`: that of the query. Throws 404 where nothing is published, 406, 503. */
export async function answerSet(
  request: Request,
  served: ServedSet,
  format: string | null,
): Promise<Response> {
  const chosen = chooseFormat(["json", "arrow"], request.accept, format);
  const { set, source } = served;
  if (request.headOnly || request.ifNoneMatch !== undefined) {
    const stamp = await source.stamp(set);
    if (stamp === undefined) throw notPublished(set);
    const isNew = !isKnown(versionTag(stamp, chosen), request.ifNoneMatch);
    const headers = headersOf(stamp, chosen);
    if (!isNew) return new Response(null, { status: 304, headers });
    if (request.headOnly) return new Response(null, { headers });
  }
  const free = request.answers.take();
  try {
    const version = await source.target.read(set);
    if (version === undefined) throw notPublished(set);
    const { rows: _rows, ...stamp } = version;
    const parts = chosen === "arrow" ? await arrowOf(served, version) : versionJson(version);
    const late = setTimeout(request.sever, request.longest).unref();
    const ended = () => {
      clearTimeout(late);
      free();
    };
    return new Response(bodyOf(parts, ended), { headers: headersOf(stamp, chosen) });
  } catch (error) {
    free();
    throw error;
  }
}

async function arrowOf(served: ServedSet, { rows }: PublishedVersion): Promise<AsyncIterator<Uint8Array>> {
  // Few clients ask for it, and the library is large.
  const { arrowBytes } = await import("../explore/arrow-result.ts");
  return arrowBytes(typedRows(served, rows), "stream");
}

const headersOf = (stamp: VersionStamp, format: AnswerFormat): Record<string, string> => ({
  "content-type": TYPES[format],
  etag: versionTag(stamp, format),
  "cache-control": CACHE_CONTROL,
  vary: "Accept",
  "ingot-token": stamp.token,
  "ingot-published-at": stamp.publishedAt,
});

function notPublished(set: string): HttpError {
  return new HttpError(404, "NOT_PUBLISHED", "nothing is published of this set, or it has expired", {
    value: set,
    next: "It is there after `ingot publish`.",
  });
}
