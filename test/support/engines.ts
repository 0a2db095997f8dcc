/** Other people's Delta engines, for tests that Ingot and they read each other's tables. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll } from "vitest";
import { ChdbEngine } from "../interop/chdb-engine.ts";
import { EngineProcess } from "../interop/engine-process.ts";
import { PythonEngine, SparkEngine } from "../interop/python-engine.ts";

const SCRIPTS = resolve(import.meta.dirname, "../../scripts/interop");
const INSTALLED =
  process.env.INGOT_INTEROP ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "ingot/interop");

/** For `describe.skipIf(!enginesAvailable)`: delta-rs and Spark. On a build server their absence is an error. */
export const enginesAvailable = isInstalled();
if (!enginesAvailable) {
  const line = `No delta-rs and Spark of the pinned versions in ${INSTALLED}`;
  if (process.env.CI)
    throw new Error(`${line}: run scripts/interop/install.sh, tests must not be skipped here.`);
  process.stderr.write(
    `${line}: tests that need them are skipped; scripts/interop/install.sh installs them.\n`,
  );
}

export type EngineName = "deltalake" | "spark" | "chdb";

/**
 * An engine for a test file, ended with it. delta-rs and Spark start with their first request (Spark takes some ten
 * seconds); `folder` is where chdb may leave files.
 */
export function useEngine(name: "deltalake"): PythonEngine;
export function useEngine(name: "spark"): SparkEngine;
export function useEngine(name: "chdb", folder: string): ChdbEngine;
export function useEngine(name: EngineName, folder: string): PythonEngine | ChdbEngine;
export function useEngine(name: EngineName, folder = ""): PythonEngine | ChdbEngine {
  if (name === "chdb") {
    const engine = new ChdbEngine(folder);
    afterAll(() => engine.close());
    return engine;
  }
  const server = new EngineProcess([join(INSTALLED, "venv/bin/python"), join(SCRIPTS, `${name}-server.py`)]);
  afterAll(() => server.close());
  return name === "spark" ? new SparkEngine(name, server) : new PythonEngine(name, server);
}

/** Whether the installation is whole and of the versions that are pinned now. */
function isInstalled(): boolean {
  const installed = join(INSTALLED, "installed");
  if (!existsSync(installed)) return false;
  const pins = ["requirements.txt", "pom.xml"].map((name) => readFileSync(join(SCRIPTS, name), "utf8"));
  return readFileSync(installed, "utf8").trimEnd() === pins.join("").trimEnd();
}
