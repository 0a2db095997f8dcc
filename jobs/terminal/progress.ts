import { createLogUpdate } from "log-update";
import type { ProgressListener } from "../../lakehouse/progress.ts";
import { liveLines, plainLine } from "./progress-lines.ts";
import { advance, stopped, type Task } from "./progress-tasks.ts";
import { showsColor, styleFor } from "./style.ts";
import { terminalHeight, terminalWidth } from "./terminal-size.ts";

/** Where progress is shown. Give it stderr: stdout is for data. */
export interface ProgressOptions {
  readonly stream: NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number };
  readonly isTTY: boolean;
  /** Milliseconds of any clock that does not go back. */
  readonly now: () => number;
}

export interface Progress {
  readonly onProgress: ProgressListener;
  /** Leaves the last state on the screen and gives the cursor back. Call it in `finally`; more calls do nothing. */
  finish(): void;
}

const REDRAW_EVERY = 100;
const LINE_EVERY = 10_000;

/** A live block on a terminal, plain lines elsewhere. */
export function createProgress(options: ProgressOptions): Progress {
  return options.isTTY ? liveProgress(options) : plainProgress(options);
}

/**
 * One line a task, redrawn by a ticker: events only note what they say, however often they come. The ticker never
 * keeps the process alive.
 */
function liveProgress({ stream, now }: ProgressOptions): Progress {
  const style = styleFor(showsColor(stream));
  // log-update hides the cursor of stderr, whatever stream it draws on, and shows it again when the process exits.
  const draw = createLogUpdate(sized(stream), { showCursor: stream !== process.stderr });
  let tasks: Task[] = [];
  let ticker: NodeJS.Timeout | undefined;

  function lines(which: readonly Task[]): string[] {
    // The last column stays free: some terminals wrap as soon as it is written.
    return liveLines(which, now(), terminalWidth(stream) - 1, style);
  }

  /** A block taller than the screen cannot be redrawn: its finished head moves up into the scrollback. */
  function release(): void {
    const height = Math.max(1, terminalHeight(stream) - 1);
    const firstRunning = tasks.findIndex((task) => task.endedAt === undefined);
    const finished = firstRunning === -1 ? tasks.length : firstRunning;
    const count = Math.min(finished, tasks.length - height);
    if (count <= 0) return;
    const released = lines(tasks).slice(0, count);
    tasks = tasks.slice(count);
    draw.clear();
    stream.write(`${released.join("\n")}\n`);
  }

  function redraw(): void {
    release();
    draw(lines(tasks).join("\n"));
    if (tasks.some((task) => task.endedAt === undefined)) return;
    clearInterval(ticker);
    ticker = undefined;
  }

  return {
    onProgress: (event) => {
      const place = tasks.findIndex((task) => task.name === event.task && task.endedAt === undefined);
      const task = advance(tasks[place], event, now());
      tasks = place === -1 ? [...tasks, task] : tasks.with(place, task);
      if (ticker !== undefined) return;
      ticker = setInterval(redraw, REDRAW_EVERY);
      ticker.unref();
      redraw();
    },
    finish: () => {
      clearInterval(ticker);
      ticker = undefined;
      if (tasks.length > 0) {
        tasks = tasks.map((task) => stopped(task, now()));
        draw.clear();
        stream.write(`${lines(tasks).join("\n")}\n`);
        tasks = [];
      }
      draw.done();
    },
  };
}

/** The stream with a size: of a terminal that says 0 log-update would draw no line. */
function sized(stream: ProgressOptions["stream"]): NodeJS.WritableStream {
  return new Proxy(stream, {
    get(target, name) {
      if (name === "columns") return terminalWidth(target);
      if (name === "rows") return terminalHeight(target);
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** A line when a task ends, and now and then for what takes long, so that a log shows that it lives. */
function plainProgress({ stream, now }: ProgressOptions): Progress {
  const running = new Map<string, { task: Task; saidAt: number }>();
  let ticker: NodeJS.Timeout | undefined;

  function say(task: Task): void {
    stream.write(`${plainLine(task, now())}\n`);
  }

  function sayLong(): void {
    for (const entry of running.values()) {
      if (now() - entry.saidAt < LINE_EVERY) continue;
      entry.saidAt = now();
      say(entry.task);
    }
  }

  function stop(): void {
    clearInterval(ticker);
    ticker = undefined;
  }

  return {
    onProgress: (event) => {
      const before = running.get(event.task);
      const task = advance(before?.task, event, now());
      if (task.endedAt === undefined) {
        running.set(event.task, { task, saidAt: before?.saidAt ?? task.startedAt });
        ticker ??= setInterval(sayLong, LINE_EVERY / 10).unref();
        return;
      }
      running.delete(event.task);
      say(task);
      if (running.size === 0) stop();
    },
    finish: () => {
      stop();
      for (const { task } of running.values()) say(stopped(task, now()));
      running.clear();
    },
  };
}
