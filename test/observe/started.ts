/** A process of `ingot start`, and the lines that it logs. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

const BIN = new URL("../../bin/ingot.cjs", import.meta.url).pathname;

export type LogLine = Readonly<Record<string, unknown>>;

export class Started {
  readonly lines: LogLine[] = [];
  complaints = "";
  readonly ended: Promise<NodeJS.Signals | number | null>;
  private readonly child: ChildProcess;
  private looks: (() => void)[] = [];

  constructor(folder: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const { DATABASE_URL: _d, REDIS_URL: _r, INGOT_LAKE: _l, ...inherited } = process.env;
    const child = spawn(process.execPath, [BIN, "start", ...args], {
      cwd: folder,
      env: { ...inherited, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    this.ended = new Promise((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
    child.stderr.on("data", (text) => {
      this.complaints += text;
    });
    createInterface(child.stdout).on("line", (line) => {
      this.lines.push(JSON.parse(line));
      for (const look of this.looks) look();
    });
  }

  /** The first line of this message that fits, once it is there. Rejects where the process ends before. */
  logged(message: string, fits: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.lines.find((line) => line.msg === message && fits(line));
        if (found !== undefined) resolve(found);
      };
      this.looks.push(look);
      look();
      void this.ended.then((end) => {
        look();
        reject(
          new Error(
            `ended with ${end} before "${message}": ${this.complaints}\n${JSON.stringify(this.lines)}`,
          ),
        );
      });
    });
  }

  async signal(signal: NodeJS.Signals): Promise<NodeJS.Signals | number | null> {
    this.child.kill(signal);
    return this.ended;
  }
}
