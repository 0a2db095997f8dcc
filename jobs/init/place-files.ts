/** Puts files into a folder: all of them or none. */
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { codeOf, messageOf, TerminalError } from "../../lakehouse/errors.ts";
import { onCleanup } from "../cleanup.ts";

/** Refuses to go on where one of the files is there. Throws `INIT_EXISTS`. */
export function refuseExisting(folder: string, paths: Iterable<string>): void {
  const present = [...paths].filter((path) => existsSync(join(folder, path)));
  if (present.length === 0) return;
  throw new TerminalError(present.length === 1 ? "this file exists" : "these files exist", {
    code: "INIT_EXISTS",
    value: present.join("\n"),
    next: "Nothing was written. Give another folder with --into, or --force to replace them.",
  });
}

/**
 * Writes files, by path relative to the folder. They are made aside and renamed into place in one go, which no signal
 * interrupts; what a failure leaves is undone. Throws `INIT_EXISTS`, `INIT_WRITE`.
 */
export async function placeFiles(
  folder: string,
  files: ReadonlyMap<string, string>,
  force: boolean,
): Promise<void> {
  if (!force) refuseExisting(folder, files.keys());
  try {
    await mkdir(folder, { recursive: true });
    const aside = await mkdtemp(join(folder, ".ingot-init-"));
    const remove = onCleanup(() => rm(aside, { recursive: true, force: true }));
    try {
      for (const [path, text] of files) {
        await mkdir(dirname(join(aside, path)), { recursive: true });
        await writeFile(join(aside, path), text, { flag: "wx" });
      }
      if (!force) refuseExisting(folder, files.keys());
      putAll(folder, aside, [...files.keys()]);
    } finally {
      await remove();
    }
  } catch (cause) {
    if (cause instanceof TerminalError) throw cause;
    throw new TerminalError(
      `cannot write into ${relative(process.cwd(), folder) || "."}: ${messageOf(cause)}`,
      {
        code: "INIT_WRITE",
        value: codeOf(cause),
        next: "Nothing was written. Check the folder, or give another one with --into.",
        cause,
      },
    );
  }
}

/** Synchronous, so that nothing comes between. */
function putAll(folder: string, aside: string, paths: readonly string[]): void {
  const undo: (() => void)[] = [];
  try {
    for (const path of paths) {
      const target = join(folder, path);
      mkdirSync(dirname(target), { recursive: true });
      if (existsSync(target)) {
        const former = join(aside, `${path}.former`);
        renameSync(target, former);
        undo.push(() => renameSync(former, target));
      }
      renameSync(join(aside, path), target);
      undo.push(() => rmSync(target));
    }
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}
