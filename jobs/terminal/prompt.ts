import { createInterface } from "node:readline";
import { complete, type ListedTable } from "./complete.ts";
import { HISTORY_SIZE, History } from "./history.ts";
import { formatError } from "./print-error.ts";
import { commandOf, type PromptMode, runCommand } from "./prompt-commands.ts";
import type { QueryResult } from "./result.ts";
import { showResult, summaryOf } from "./show-result.ts";
import { onOneLine, splitStatements } from "./statements.ts";
import { showsColor, styleFor } from "./style.ts";
import { terminalWidth } from "./terminal-size.ts";

export interface PromptOptions {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream & { readonly columns?: number };
  /** Where lines typed are kept. Only a person's lines are: piped input leaves no history. */
  readonly historyFile: string;
  /** Runs one statement. The signal is aborted by Ctrl-C; the promise should then reject. */
  readonly execute: (sql: string, signal: AbortSignal) => Promise<QueryResult>;
  readonly listTables: () => Promise<readonly ListedTable[]>;
  /** Milliseconds that a statement may take; without end by default. `.timeout` changes it. */
  readonly timeout?: number | undefined;
}

const FIRST = "ingot> ";
const MORE = "  ...> ";
const WELCOME = "SQL ends with ;   .help for commands, Ctrl-D to leave";
const DEFAULT_WIDTH = 100;

/**
 * An SQL prompt; resolves when its input ends or `.quit` is typed. Without a terminal it runs what it reads, shows
 * no prompt, and takes the end of the input for the `;` of the last statement. Answers how many statements failed.
 */
export async function runPrompt(options: PromptOptions): Promise<{ readonly failed: number }> {
  const { input, output } = options;
  const terminal = isTerminal(input) && isTerminal(output);
  const color = showsColor(output);
  const style = styleFor(color);
  const history = terminal ? History.open(options.historyFile) : undefined;

  let mode: PromptMode = "table";
  let timeout = options.timeout;
  let statement = "";
  let tables: Promise<readonly ListedTable[]> | undefined;
  let running: AbortController | undefined;
  let failed = 0;
  /** `.quit` was typed: what waits is not run. */
  let ended = false;
  let closed = false;
  /** Lines wait for the statement before them; Ctrl-C forgets those that wait. */
  let queue: Promise<void> = Promise.resolve();
  let generation = 0;
  /** readline's own list, newest first, which is ours to change. */
  let shownHistory: string[] = [];

  const rl = createInterface({
    input,
    output,
    terminal,
    historySize: HISTORY_SIZE,
    history: history?.newestFirst() ?? [],
    completer: (line: string, done: (error: null, found: [string[], string]) => void) => {
      tables ??= options.listTables();
      tables.then(
        (known) => done(null, complete(line, statement, known)),
        () => done(null, [[], line]),
      );
    },
  });

  const look = () => ({ width: terminalWidth(output, DEFAULT_WIDTH), color });
  const say = (text: string) => output.write(`${text}\n`);

  function ask(): void {
    if (!terminal || closed) return;
    rl.setPrompt(style.cyan(statement === "" ? FIRST : MORE));
    rl.prompt();
  }

  async function run(sql: string): Promise<void> {
    const controller = new AbortController();
    running = controller;
    const startedAt = performance.now();
    const late = () => controller.abort(new DOMException("time is up", "TimeoutError"));
    const timer = timeout === undefined ? undefined : setTimeout(late, timeout);
    try {
      const result = await options.execute(sql, controller.signal);
      for (const text of showResult(result, mode, look())) output.write(text);
      // Data that goes to a file holds nothing but data.
      if (terminal || mode === "table") say(style.dim(summaryOf(result, performance.now() - startedAt)));
    } catch (error) {
      failed += 1;
      const byHand = controller.signal.aborted && !isTimeout(controller.signal.reason);
      say(byHand ? style.dim("stopped") : formatError(error, { color }));
    } finally {
      clearTimeout(timer);
      running = undefined;
      // A statement may have made a table.
      tables = undefined;
    }
  }

  async function command(line: string): Promise<boolean> {
    const found = statement === "" ? commandOf(line) : undefined;
    if (found === undefined) return false;
    const outcome = await runCommand(found, { listTables: options.listTables, mode, timeout, ...look() });
    if (outcome.kind === "show") say(outcome.text);
    if (outcome.kind === "fail") say(formatError(new Error(outcome.message), { color, debug: false }));
    if (outcome.kind === "mode") mode = outcome.mode;
    if (outcome.kind === "timeout") timeout = outcome.timeout;
    if (outcome.kind === "quit") end();
    return true;
  }

  /** Keeps a whole statement as one entry, where readline has kept its lines. */
  function remember(entry: string | undefined): void {
    if (history === undefined || entry === undefined) return;
    history.add(entry);
    shownHistory.splice(0, shownHistory.length, ...history.newestFirst());
  }

  async function take(line: string): Promise<void> {
    if (await command(line)) return remember(line);
    const typed = statement === "" ? line : `${statement}\n${line}`;
    // Without a `;` nothing has ended: a long pasted statement is not scanned again for each line.
    const split = statement !== "" && !line.includes(";") ? undefined : splitStatements(typed);
    statement = split === undefined ? typed : split.rest;
    if (split === undefined || split.statements.length === 0) return;
    remember(onOneLine(typed));
    const started = generation;
    for (const sql of split.statements) {
      if (ended || started !== generation) break;
      await run(sql);
    }
  }

  function end(): void {
    ended = true;
    rl.close();
  }

  function interrupt(): void {
    generation += 1;
    statement = "";
    if (running) {
      running.abort();
      return;
    }
    // To the end of the line, then away with what is before the cursor.
    rl.write(null, { ctrl: true, name: "e" });
    output.write("^C\n");
    rl.write(null, { ctrl: true, name: "u" });
    ask();
  }

  rl.on("history", (lines) => {
    shownHistory = lines;
  });
  rl.on("SIGINT", interrupt);
  rl.on("line", (line) => {
    const born = generation;
    queue = queue.then(async () => {
      if (ended || born !== generation) return;
      await take(line);
      ask();
    });
  });
  const whenClosed = new Promise<void>((resolve) => {
    rl.once("close", () => {
      closed = true;
      resolve();
    });
  });
  if (terminal) say(style.dim(WELCOME));
  ask();

  await whenClosed;
  await queue;
  if (!terminal && !ended && splitStatements(`${statement}\n;`).statements.length > 0) await run(statement);
  // Ctrl-D leaves the cursor behind the prompt.
  if (terminal && !ended) output.write("\n");
  history?.trim();
  return { failed };
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === "TimeoutError";
}

function isTerminal(stream: NodeJS.ReadableStream | NodeJS.WritableStream): boolean {
  return "isTTY" in stream && stream.isTTY === true;
}
