import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const BIN = new URL("../../bin/ingot.cjs", import.meta.url).pathname;

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command line in a folder; the variables of this test run that would configure it are taken away. */
export async function ingotCli(
  folder: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  const { DATABASE_URL: _d, REDIS_URL: _r, INGOT_LAKE: _l, ...inherited } = process.env;
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: folder,
    env: { ...inherited, NO_COLOR: "1", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stdout, stderr };
}

/** A project of a few lines: a configuration that ingests these tables, and models where SQL is given. */
export async function writeProject(
  folder: string,
  tables: string,
  silver?: { readonly name: string; readonly contract: string; readonly sql: string },
): Promise<void> {
  await mkdir(join(folder, "silver"), { recursive: true });
  if (silver) await writeFile(join(folder, "silver", `${silver.name}.sql`), silver.sql);
  const models = silver ? `silver: { ${silver.name}: merge(${silver.contract}) },` : "";
  await writeFile(
    join(folder, "ingot.config.ts"),
    `import { defineConfig, defineTable, long, merge, postgres, text } from "ingot";
export default defineConfig({
  pipelines: [{
    name: "mine", folder: new URL(".", import.meta.url),
    source: postgres({ tables: ${tables} }),
    ${models}
  }],
});
`,
  );
}
