/** Questions at a terminal, each with an answer that Enter gives. */
import { createInterface, type Interface } from "node:readline/promises";
import { messageOf, TerminalError } from "../../lakehouse/errors.ts";
import { styleFor } from "../terminal/style.ts";
import { printable } from "../terminal/text.ts";

export interface Question<T> {
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
  const closed = new AbortController();
  let finished = false;
  terminal.on("SIGINT", () => {
    output.write("\n");
    interrupt();
  });
  terminal.once("close", () => closed.abort());
  return {
    async ask({ text, fallback, read }) {
      for (;;) {
        const prompt = `${style.cyan("?")} ${printable(text)} ${style.dim(`(${printable(fallback)})`)} `;
        const answer = await answerTo(terminal, prompt, closed.signal);
        try {
          return read(answer.trim() || fallback);
        } catch (error) {
          output.write(`  ${style.red(printable(messageOf(error)))}${allowedText(error)}\n`);
        }
      }
    },
    say: (text) => void output.write(text),
    close: () => {
      if (!finished) terminal.close();
      finished = true;
    },
  };
}

async function answerTo(terminal: Interface, prompt: string, closed: AbortSignal): Promise<string> {
  try {
    closed.throwIfAborted();
    return await terminal.question(prompt, { signal: closed });
  } catch (cause) {
    if (!closed.aborted) throw cause;
    throw new TerminalError("the questions were not answered", {
      code: "INIT_CANCELLED",
      next: "Nothing was written. With --yes, defaults answer them.",
      cause,
    });
  }
}

const allowedText = (error: unknown) =>
  error instanceof TerminalError && error.allowed !== undefined ? `; ${printable(error.allowed)}` : "";
