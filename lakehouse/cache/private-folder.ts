/** The folder of the cache: of this user alone, for others could plant files in it that would be read as data. */
import { chmod, lstat, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { codeOf, TerminalError } from "../errors.ts";

/** Where the cache is by default: what INGOT_CACHE says, else a folder of this user in the system's temporary one. */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const chosen = environment.INGOT_CACHE;
  if (chosen !== undefined && chosen !== "") return resolve(chosen);
  return join(tmpdir(), `ingot-cache-${process.getuid?.() ?? "user"}`);
}

/** Makes the folder, or closes to others one that is there. Rejects another user's with `CACHE_NOT_PRIVATE`. */
export async function makePrivateFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    if (codeOf(cause) !== "EEXIST") throw cause;
  }
  // A link could lead anywhere: what counts is what stands under this name.
  const about = await lstat(folder);
  const user = process.getuid?.();
  if (!about.isDirectory() || (user !== undefined && about.uid !== user)) {
    throw new TerminalError("the folder for cached data files belongs to somebody else", {
      code: "CACHE_NOT_PRIVATE",
      value: folder,
      allowed: "a folder of this user, or none yet",
      next: "Set INGOT_CACHE to a folder of your own.",
    });
  }
  if ((about.mode & 0o077) !== 0) await chmod(folder, 0o700);
}
