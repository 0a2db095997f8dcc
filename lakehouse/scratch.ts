/** Folders for files that live as long as the work that needs them, outside of any store. */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { codeOf } from "./errors.ts";

/** Processes of another host, or container, may share the folder; their ids say nothing here. */
const PREFIX = `ingot-scratch-${hostname().replace(/[^\w.]/g, "_")}-`;

/**
 * A new folder in `parent` that only this user can enter; the caller removes it. What killed processes left behind is removed
 * on the way: the name of a folder holds the id of its process.
 */
export async function makeScratch(parent = tmpdir()): Promise<string> {
  await mkdir(parent, { recursive: true });
  await sweep(parent);
  return mkdtemp(join(parent, `${PREFIX}${process.pid}-`));
}

async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split("-")[0]) : 0;
    // Another user's folder stays: it is not ours to remove.
    if (pid > 0 && !isAlive(pid))
      await rm(join(parent, name), { recursive: true, force: true }).catch(() => {});
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, as somebody else.
    return codeOf(error) !== "ESRCH";
  }
}
