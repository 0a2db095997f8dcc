import { spawn } from "node:child_process";
import { once } from "node:events";

/** A load of one table by pipeline `p`, and the moment of its death. */
export interface KilledLoad {
  readonly url: string;
  /** Folder of the lake. */
  readonly lake: string;
  readonly table: string;
  readonly rangeBytes: number;
  /** It dies after it has told of so many steps of progress, */
  readonly steps: number;
  /** and so many milliseconds more. */
  readonly milliseconds: number;
  readonly changes: "query" | "wal";
}

/** Runs a load in another process, which nothing warns of its end. False where it came to its own end before. */
export async function killedLoad(options: KilledLoad): Promise<boolean> {
  const script = new URL("./load-child.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--import", "jiti/register", script, JSON.stringify(options)], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [code, signal] = await once(child, "exit");
  if (signal === null && code !== 0) throw new Error(`the load failed with ${code}`);
  return signal === "SIGKILL";
}
