import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { z } from "zod";

const answerSchema = z.union([
  z.strictObject({ ok: z.unknown() }),
  z.strictObject({ error: z.object({ type: z.string(), message: z.string() }) }),
]);

/** What an engine said no to, in its own words. */
class EngineError extends Error {
  /** Name of the engine's own error class. */
  readonly type: string;

  constructor(type: string, message: string) {
    super(`${type}: ${message}`);
    this.name = "EngineError";
    this.type = type;
  }
}

/** A server of `scripts/interop/` (the protocol is told in `line_server.py`), started by the first request. */
export class EngineProcess {
  private readonly command: readonly [program: string, ...parameters: string[]];
  private child: ChildProcess | undefined;
  private lines: AsyncIterator<string> | undefined;
  private reader: Interface | undefined;
  private log = "";
  private last: Promise<unknown> = Promise.resolve();

  constructor(command: readonly [program: string, ...parameters: string[]]) {
    this.command = command;
  }

  /** Sends one request when the answers to all earlier ones are there. Throws `EngineError` where it is refused. */
  request(request: Readonly<Record<string, unknown>>): Promise<unknown> {
    const answer = this.last.then(() => this.exchange(request));
    this.last = answer.catch(() => undefined);
    return answer;
  }

  /** Ends the process and waits for its end. */
  async close(): Promise<void> {
    if (this.child === undefined) return;
    const ended = this.child.exitCode === null ? once(this.child, "exit") : undefined;
    // The server ends with its input, and takes its own children along.
    this.child.stdin?.end();
    await ended;
    this.reader?.close();
  }

  private async exchange(request: Readonly<Record<string, unknown>>): Promise<unknown> {
    const lines = this.lines ?? this.start();
    this.child?.stdin?.write(`${JSON.stringify(request)}\n`);
    const line = await lines.next();
    if (line.done) throw new Error(`${this.command.join(" ")} ended:\n${this.log.slice(-4000)}`);
    const answer = answerSchema.parse(JSON.parse(line.value));
    if ("error" in answer) throw new EngineError(answer.error.type, answer.error.message);
    return answer.ok;
  }

  private start(): AsyncIterator<string> {
    const [program, ...parameters] = this.command;
    const child = spawn(program, parameters, { stdio: "pipe" });
    // A write to a process that has just died fails here too; the missing answer is what is reported.
    child.stdin.on("error", () => undefined);
    child.stderr.on("data", (bytes: Buffer) => {
      this.log = (this.log + bytes.toString()).slice(-20_000);
    });
    this.child = child;
    this.reader = createInterface({ input: child.stdout });
    this.lines = this.reader[Symbol.asyncIterator]();
    return this.lines;
  }
}
