/** The command line as a process of its own, to be left alone or killed. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Where a command works. */
export interface Surroundings {
  readonly lake: string;
  readonly database: string;
  readonly redis: string | undefined;
}

const ROOT = new URL("../../..", import.meta.url);
const BIN = fileURLToPath(new URL("bin/ingot.cjs", ROOT));

function start(around: Surroundings, args: readonly string[]) {
  return spawn(process.execPath, [BIN, "--quiet", "--json", ...args], {
    cwd: ROOT,
    env: {
      ...process.env,
      INGOT_LAKE: around.lake,
      DATABASE_URL: around.database,
      REDIS_URL: around.redis ?? "",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs a command to its end; throws what it printed when it fails. */
export async function ingot(
  around: Surroundings,
  args: readonly string[],
): Promise<{ readonly stdout: string; readonly milliseconds: number }> {
  const started = performance.now();
  const child = start(around, args);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`ingot ${args.join(" ")} ended with ${code}: ${stderr}`);
  return { stdout, milliseconds: performance.now() - started };
}

/** Runs a command and kills it, without warning, after so many milliseconds. False where it had ended before. */
export async function killedIngot(
  around: Surroundings,
  args: readonly string[],
  milliseconds: number,
): Promise<boolean> {
  const child = start(around, args);
  child.stdout.resume();
  child.stderr.resume();
  const timer = setTimeout(() => child.kill("SIGKILL"), milliseconds);
  const signal = await new Promise((resolve) => child.on("close", (_code, s) => resolve(s)));
  clearTimeout(timer);
  return signal === "SIGKILL";
}
