import { spawn } from "node:child_process";
import { expect, it } from "vitest";

it("load, sync, build and publish, killed with SIGKILL at random moments and run again, end as if undisturbed", async () => {
  const script = new URL("../dist/scripts/crash/main.js", import.meta.url).pathname;
  const args = [script, "--moments", "3", "--scale", "0.02", "--seed", String(Date.now() % 1e6)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = args.join(" ");
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    output += chunk;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(output).toContain("every outcome equals that of an undisturbed run");
  expect(code).toBe(0);
}, 300_000);
