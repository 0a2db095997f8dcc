import { type ChildProcess, execFile, spawn } from "node:child_process";
import { accessSync, constants, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** Where Debian keeps the programs of its Postgres packages, apart from PATH. */
const DEBIAN = "/usr/lib/postgresql";

function find(): string | undefined {
  const debian = (() => {
    try {
      return readdirSync(DEBIAN).map((version) => join(DEBIAN, version, "bin"));
    } catch {
      return [];
    }
  })();
  for (const folder of [...(process.env.PATH ?? "").split(":"), ...debian]) {
    try {
      accessSync(join(folder, "pgbench"), constants.X_OK);
      return join(folder, "pgbench");
    } catch {
      // Not here.
    }
  }
  return undefined;
}

const binary = find();
if (binary === undefined && process.env.CI) throw new Error("CI needs pgbench (Debian: postgresql-15)");
if (binary === undefined) process.stderr.write("skipped: pgbench is not on this machine\n");

export const pgbenchAvailable = binary !== undefined;

/** Runs pgbench to its end. */
export async function pgbench(url: string, ...args: string[]): Promise<void> {
  await promisify(execFile)(binary ?? "pgbench", [...args, url]);
}

/** Starts pgbench; `stop` ends it and waits for its connections to be gone. */
export function startPgbench(url: string, ...args: string[]): { readonly stop: () => Promise<void> } {
  const child: ChildProcess = spawn(binary ?? "pgbench", [...args, url], { stdio: "ignore" });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  return {
    stop: async () => {
      child.kill("SIGINT");
      await exited;
    },
  };
}
