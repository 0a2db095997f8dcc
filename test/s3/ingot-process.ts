/** A process of the built command line that goes on until it is told to stop, and the JSON lines that it logs. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

const BIN = new URL("../../bin/ingot.cjs", import.meta.url).pathname;

export class IngotProcess {
  readonly lines: Record<string, unknown>[] = [];
  /** The signal that ended it, else its exit code. */
  readonly ended: Promise<NodeJS.Signals | number | null>;
  private readonly child: ChildProcess;
  private complaints = "";
  private hasEnded = false;
  private look: () => void = () => {};

  constructor(folder: string, args: readonly string[], environment: Readonly<Record<string, string>>) {
    const { DATABASE_URL: _d, REDIS_URL: _r, INGOT_LAKE: _l, ...inherited } = process.env;
    this.child = spawn(process.execPath, [BIN, ...args], {
      cwd: folder,
      env: { ...inherited, NO_COLOR: "1", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.ended = new Promise((resolve) =>
      this.child.on("close", (code, signal) => {
        this.hasEnded = true;
        this.look();
        resolve(signal ?? code);
      }),
    );
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new Error("no output");
    stderr.on("data", (chunk) => {
      this.complaints += chunk;
    });
    createInterface(stdout).on("line", (line) => {
      this.lines.push(JSON.parse(line));
      this.look();
    });
  }

  /** Resolves with the line once it has logged one that fits, behind the first `after` lines. */
  logged(fits: (line: Record<string, unknown>) => boolean, after = 0): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      this.look = () => {
        const found = this.lines.slice(after).find(fits);
        if (found !== undefined) resolve(found);
        else if (this.hasEnded) reject(new Error(`It ended: ${this.complaints}`));
      };
      this.look();
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}
