/** What the path of a request names, taken apart before anything is decoded: a key may hold every sign. */
import { HttpError } from "./http-error.ts";

export interface RequestPath {
  /** The first segment. */
  readonly root: string;
  /** The decoded segments behind it. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

/** Longest part of a path that is looked at. */
const LONGEST = 4_096;

/**
 * Takes a request's target apart as it stands in the request: a URL would resolve `..`, which is a key like any other.
 * Throws 400 where it is not properly encoded.
 */
export function parsePath(target: string): RequestPath {
  // Proxies may send the whole address.
  const local = target.replace(/^https?:\/\/[^/?]*/i, "");
  const mark = local.indexOf("?");
  const path = mark < 0 ? local : local.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? "" : local.slice(mark + 1));
  if (path.length > LONGEST) throw invalid("it is too long");
  const [, root = "", ...segments] = path.split("/");
  // `/v1/a/b/` is `/v1/a/b`.
  if (segments.at(-1) === "") segments.pop();
  return { root, segments: segments.map(decode), query };
}

function decode(segment: string): string {
  let text: string;
  try {
    text = decodeURIComponent(segment);
  } catch {
    throw invalid("its percent signs encode no text");
  }
  return text;
}

function invalid(why: string): HttpError {
  return new HttpError(400, "PATH_INVALID", `the path of the request cannot be read: ${why}`, {
    next: "Encode each part of it with encodeURIComponent.",
  });
}
