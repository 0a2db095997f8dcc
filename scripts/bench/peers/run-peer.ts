/** Runs another tool and measures it: the time from its start to its end, and the memory of all its processes. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Peer } from "./peers.ts";

export interface PeerRun {
  /** From the start of the process to its end. */
  readonly milliseconds: number;
  /** The most that its processes have held at one time, in megabytes; undefined where the system does not say. */
  readonly peakMemoryMb: number | undefined;
  /** Where its Parquet files are. */
  readonly output: string;
}

/** Milliseconds between two looks at the memory; each process's peak is remembered by the system. */
const LOOK_MS = 50;
const MOST_MS = 30 * 60_000;
/** Characters of what a tool said last that are told of it when it fails. */
const LAST_WORDS = 300;

/** Loads the orders into `folder`, which is made; an error says what the tool said last. */
export async function runPeer(
  programs: string,
  peer: Peer,
  connectionString: string,
  folder: string,
): Promise<PeerRun> {
  const output = join(folder, "out");
  await mkdir(output, { recursive: true });
  // What tools keep for the next time goes into this folder too: every run is a first one.
  const homes = { HOME: folder, SLING_HOME_DIR: join(folder, "home"), XDG_CACHE_HOME: join(folder, "cache") };
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(join(programs, peer.program), peer.args(connectionString, folder), {
      cwd: folder,
      env: { ...process.env, ...homes, ...peer.environment },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: MOST_MS,
    });
    let said = "";
    let peak: number | undefined;
    const look = setInterval(() => {
      const held = child.pid === undefined ? undefined : peakMemoryOf(child.pid);
      if (held !== undefined) peak = Math.max(peak ?? 0, held);
    }, LOOK_MS);
    const hear = (words: Buffer) => {
      said = (said + words.toString()).slice(-LAST_WORDS);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("error", (error) => {
      clearInterval(look);
      reject(error);
    });
    child.on("close", (code, signal) => {
      const milliseconds = performance.now() - began;
      clearInterval(look);
      if (code === 0) resolve({ milliseconds, peakMemoryMb: peak, output });
      else reject(new Error(`ended with ${code ?? signal}: ${said.replaceAll(/\s+/g, " ").trim()}`));
    });
  });
}

/** The sum of the peaks of a process and all below it, in megabytes; undefined where Linux's files are not there. */
function peakMemoryOf(pid: number): number | undefined {
  try {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    if (peak === null) return undefined;
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
    return children.reduce((sum, child) => sum + (peakMemoryOf(child) ?? 0), Number(peak[1]) / 1024);
  } catch {
    // It has just ended.
    return undefined;
  }
}
