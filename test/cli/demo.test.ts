import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { ingotCli } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";

const folder = useFolder();
const BIN = new URL("../../bin/ingot.cjs", import.meta.url).pathname;
const PIPELINE = new URL("../../pipelines/commerce/pipeline.ts", import.meta.url).pathname;

/** Processes whose command line names this folder: servers that something left running. */
async function processesIn(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (command.includes(path) && Number(pid) !== process.pid) found.push(command.replaceAll("\0", " "));
  }
  return found;
}

async function newProject(): Promise<string> {
  const path = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(path);
  await writeFile(
    `${path}/ingot.config.ts`,
    `import { defineConfig } from "ingot";\nimport { commerce } from "${PIPELINE}";\nexport default defineConfig({ pipelines: [commerce] });\n`,
  );
  return path;
}

/** Starts the demo and sends SIGINT once its output holds `text`. */
function interruptedDemo(path: string, text: string): Promise<NodeJS.Signals | number | null> {
  const child = spawn(process.execPath, [BIN, "demo", "--scale", "0.02"], {
    cwd: path,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let sent = false;
  const look = (chunk: Buffer) => {
    output += chunk;
    if (!sent && output.includes(text)) {
      sent = true;
      child.kill("SIGINT");
    }
  };
  child.stdout.on("data", look);
  child.stderr.on("data", look);
  return new Promise((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
}

it.runIf(process.platform === "linux")(
  "Ctrl-C at any point leaves nothing running and nothing broken",
  async () => {
    const path = await newProject();
    for (const moment of [
      "1. A shop",
      "commerce.",
      "2. Its history",
      "done bronze.",
      "done silver.",
      "3. Meanwhile",
      "4. An incr",
    ]) {
      expect(await interruptedDemo(path, moment), moment).toBe("SIGINT");
      expect(await processesIn(path), moment).toEqual([]);
    }
    for (const again of [1, 2]) {
      const result = await ingotCli(path, ["demo", "--scale", "0.02"]);
      expect(result.code, `${again}: ${result.stderr}`).toBe(0);
      for (const part of [
        "first figure published",
        "4. An incremental run",
        "changes captured from the database's log (WAL); deletions among them: ",
        "Abandoned carts",
        "Revenue by day",
        "What to try next",
      ]) {
        expect(result.stdout).toContain(part);
      }
      expect(await processesIn(path)).toEqual([]);
    }
    const status = await ingotCli(path, ["status", "--json"]);
    const { tables } = JSON.parse(status.stdout) as { tables: { table: string; rows: number }[] };
    expect(tables.filter((t) => t.table.includes(".silver.") && t.rows > 0)).toHaveLength(8);
  },
);
