/** The command: serves what a configuration declares, and ends when it is told to. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { publicationOf } from "../publish/publications.ts";
import { ingotCli } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";
import { readEvents } from "./events.ts";

const folder = useFolder();
const BIN = new URL("../../bin/ingot.cjs", import.meta.url).pathname;

it("serves until a signal, and ends streams and itself", async () => {
  await writeFile(
    `${folder.path}/ingot.config.ts`,
    `import { defineConfig, defineTable, full, long, postgres } from "ingot";
const contract = defineTable({ name: "top", description: "top", columns: { i: long() } });
export default defineConfig({ lake: "./lake", pipelines: [{
  name: "shop", source: postgres({ tables: {} }), gold: { top: full(contract) }, publish: [{ model: "top", title: "Top" }],
}] });
`,
  );
  const target = new EmbeddedTarget(new LocalStore(`${folder.path}/lake`));
  await target.publish(publicationOf("shop/top", { version: 1 }));
  const { REDIS_URL: _r, INGOT_LAKE: _l, ...env } = process.env;
  const child = spawn(process.execPath, [BIN, "serve", "--port", "0", "--json"], {
    cwd: folder.path,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface(child.stdout), "line");
  const { url, sets } = JSON.parse(String(line));
  expect([sets, new URL(url).hostname]).toEqual([1, "127.0.0.1"]);
  const answer = await fetch(`${url}/v1/shop/top`);
  expect(((await answer.json()) as { version: number }).version).toBe(1);
  const reader = await readEvents(`${url}/v1/shop/top/events`);
  expect((await reader.next())?.data.version).toBe(1);
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  expect(await reader.next()).toBeUndefined();
  expect(await ended).toEqual([null, "SIGTERM"]);
});

it.each([
  ["--port", "70000"],
  ["--cors", "https://a.example/path"],
  ["--streams", "0"],
])("refuses %s %s", async (...option) => {
  const { code, stderr } = await ingotCli(folder.path, ["serve", ...option]);
  expect([code, stderr]).toEqual([2, expect.stringContaining("It takes")]);
});
