/** Finds and loads `ingot.config.ts`. TypeScript in it, and in what it imports, runs as it is. */
import { access } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { createJiti } from "jiti";
import { TerminalError } from "../lakehouse/errors.ts";
import { type Config, parseConfig } from "../layers/definition/config.ts";
import { brokenConfig, shownPath } from "./broken-config.ts";

const NAMES = ["ingot.config.ts", "ingot.config.mts", "ingot.config.js", "ingot.config.mjs"];

/** A parsed configuration and the folder that its relative paths start from. */
export interface LoadedConfig {
  readonly config: Config;
  readonly file: string;
  readonly folder: string;
}

/** Loads the file that was named, or the nearest one from the working directory upwards. */
export async function loadConfig(named?: string): Promise<LoadedConfig> {
  const file = named === undefined ? await findUpwards(process.cwd()) : resolve(named);
  if (!(await exists(file))) {
    throw new TerminalError(`there is no configuration at ${file}`, {
      code: "CONFIG_MISSING",
      value: named,
      next: "Give the path of your ingot.config.ts with --config.",
    });
  }
  // The library that this program is part of, whichever the configuration's folder would find.
  const library = createRequire(import.meta.url).resolve("ingot");
  const jiti = createJiti(import.meta.url, { alias: { ingot: library } });
  const shown = shownPath(file);
  let exported: unknown;
  try {
    exported = await jiti.import(file, { default: true });
  } catch (cause) {
    throw brokenConfig(cause, shown, library);
  }
  return { config: parseConfig(exported, process.env, shown), file, folder: dirname(file) };
}

async function findUpwards(start: string): Promise<string> {
  for (let folder = start; ; folder = dirname(folder)) {
    for (const name of NAMES) {
      if (await exists(join(folder, name))) return join(folder, name);
    }
    if (dirname(folder) === folder) break;
  }
  throw new TerminalError("there is no ingot.config.ts here or above", {
    code: "CONFIG_MISSING",
    value: start,
    allowed: NAMES.join(", "),
    next: "Go to your project's folder, give --config PATH, or let `ingot init` write one for your database.",
  });
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
