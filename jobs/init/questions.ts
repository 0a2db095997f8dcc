/** Questions at a terminal, each with an answer that Enter gives. */
import { createInterface, type Interface } from "node:readline";
import { messageOf, TerminalError } from "../../lakehouse/errors.ts";
import { styleFor } from "../terminal/style.ts";
import { printable } from "../terminal/text.ts";

interface Question<T> {
  readonly text: string;
  /** What Enter answers. */
  readonly fallback: string;
  /** What the answer means; throws where it means nothing, and the question is asked again. */
  readonly read: (answer: string) => T;
}

export interface Questions {
  ask<T>(question: Question<T>): Promise<T>;
  /** Lines to read before the next question. */
  say(text: string): void;
  close(): void;
}

/** Answers every question as Enter would. */
export const defaults: Questions = {
  ask: async ({ fallback, read }) => read(fallback),
  say: () => {},
  close: () => {},
};

/** Asks at a terminal. Ctrl-C is the signal that it is anywhere else; Ctrl-D throws `INIT_CANCELLED`. */
export function askAt(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  options: { readonly color?: boolean; readonly interrupt?: () => void } = {},
): Questions {
  const { color, interrupt = () => process.kill(process.pid, "SIGINT") } = options;
  const style = styleFor(color);
  const terminal = createInterface({ input, output });
  const lines = answersOf(terminal);
  terminal.on("SIGINT", () => {
    output.write("\n");
    interrupt();
  });
  return {
    async ask({ text, fallback, read }) {
      for (;;) {
        terminal.setPrompt(`${style.cyan("?")} ${printable(text)} ${style.dim(`(${printable(fallback)})`)} `);
        terminal.prompt();
        const answer = await lines.next();
        try {
          return read(answer.trim() || fallback);
        } catch (error) {
          output.write(`  ${style.red(printable(messageOf(error)))}${allowedText(error)}\n`);
        }
      }
    },
    say: (text) => void output.write(text),
    close: () => terminal.close(),
  };
}

/** Lines in their order, those among them that were typed before they were asked for. */
function answersOf(terminal: Interface): { next(): Promise<string> } {
  const typed: string[] = [];
  let closed = false;
  let wake = () => {};
  terminal.on("line", (line) => {
    typed.push(line);
    wake();
  });
  terminal.once("close", () => {
    closed = true;
    wake();
  });
  return {
    async next() {
      if (typed.length === 0 && !closed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const line = typed.shift();
      if (line !== undefined) return line;
      throw new TerminalError("the questions were not answered", {
        code: "INIT_CANCELLED",
        next: "Nothing was written. With --yes, defaults answer them.",
      });
    },
  };
}

const allowedText = (error: unknown) =>
  error instanceof TerminalError && error.allowed !== undefined ? `; ${printable(error.allowed)}` : "";
