/** Which cached files go when there are too many. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** Files on their way in; a crash leaves them behind. */
export const PARTIAL = ".partial-";
/** Every process spares what any of them used so lately: a query may be about to open it. */
const IN_USE_MS = 10 * 60 * 1000;
/** Partial files that did not grow for so long have no writer any more. */
const ABANDONED_MS = 60 * 60 * 1000;
/** Part of the bound that is left, so that not every new file has to remove one. */
const LEFT = 0.9;

interface CachedFile {
  readonly path: string;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly usedAt: number;
}

/**
 * Removes files, least recently used first, until the rest is below `maxBytes`; never those that were used in the
 * last ten minutes or that `isKept` names. Returns the bytes that are left.
 */
export async function evict(
  folder: string,
  maxBytes: number,
  now: number,
  isKept: (name: string) => boolean,
): Promise<number> {
  const files: (CachedFile & { readonly name: string })[] = [];
  for (const name of await readdir(folder)) {
    const file = await look(join(folder, name));
    if (file === undefined) continue;
    if (!name.startsWith(PARTIAL)) files.push({ ...file, name });
    else if (file.usedAt < now - ABANDONED_MS) await rm(file.path, { force: true });
  }
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes <= maxBytes) return bytes;
  files.sort((a, b) => a.usedAt - b.usedAt);
  for (const { name, path } of files) {
    if (bytes <= maxBytes * LEFT) break;
    // Another process may have used it since the listing, or removed it.
    const file = await look(path);
    if (file === undefined || file.usedAt >= now - IN_USE_MS || isKept(name)) continue;
    await rm(path, { force: true });
    bytes -= file.bytes;
  }
  return bytes;
}

async function look(path: string): Promise<CachedFile | undefined> {
  const about = await stat(path).catch(() => undefined);
  return about === undefined ? undefined : { path, bytes: about.size, usedAt: about.mtimeMs };
}
