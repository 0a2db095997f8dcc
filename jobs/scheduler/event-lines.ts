/** Events as lines for a person at a terminal. */
import { summary } from "../commands/step-command.ts";
import { formatDuration, groupDigits } from "../terminal/numbers.ts";
import { type Style, styleFor } from "../terminal/style.ts";
import { printableLines } from "../terminal/text.ts";
import type { EventError, SchedulerEvent, SchedulerListener } from "./events.ts";
import { stepReports } from "./run-result.ts";

export interface LineOptions {
  readonly write: (line: string) => void;
  readonly now: () => number;
  /** Width of the widest job's name. */
  readonly width: number;
  readonly verbose?: boolean;
  readonly style?: Style;
}

/** `18:30:00`, as a clock on the wall beside the terminal shows it. */
export const wallTime = (time: number): string => new Date(time).toTimeString().slice(0, 8);

/** Writes a line for each event that a person wants to see. */
export function eventLines(options: LineOptions): SchedulerListener {
  const { write, now, width, style = styleFor() } = options;
  return (event) => {
    if (event.event === "stopping")
      write("stopping: commits that are under way end, and leases are given back; once more ends it at once");
    if (event.event === "stopped") write("stopped");
    if (event.event === "alert failed")
      write(
        `${style.dim(wallTime(now()))}  ${style.yellow("alerts")}: ${errorText(event.error)}; again in ${formatDuration(event.retryInMs)}`,
      );
    if (event.event === "alert")
      write(`${style.dim(wallTime(now()))}  ${style.dim(`told: ${printableLines(event.summary)}`)}`);
    if (!("job" in event)) return;
    const text = lineOf(event, style, options);
    if (text === undefined) return;
    write(`${style.dim(wallTime(now()))}  ${event.job.padEnd(width)}  ${text}`);
  };
}

function lineOf(
  event: Extract<SchedulerEvent, { readonly job: string }>,
  style: Style,
  { verbose }: LineOptions,
): string | undefined {
  switch (event.event) {
    case "run started":
      return startLine(event, verbose);
    case "run ended":
      return endLine(event, style);
    case "run failed":
      return `${style.yellow("failed")}: ${errorText(event.error)}; again in ${formatDuration(event.retryInMs)}`;
    case "run late":
      return `${style.yellow("time is over")} after ${event.timeoutSeconds} s; waiting for its end`;
    case "run left":
      return `left unfinished: ${event.reason}; it is run again`;
    case "trouble":
      return `${style.yellow("trouble")}: ${errorText(event.error)}; again in ${formatDuration(event.retryInMs)}`;
    case "working":
      return event.again ? "works again" : undefined;
    case "following":
      return "follows the changes";
    case "followed":
      return `follows no more: ${event.reason}`;
    case "batch":
      return verbose ? `${groupDigits(event.rows)} changes` : undefined;
    case "paused":
      return printableLines(`paused by ${event.by}`);
    case "resumed":
      return "resumed";
    default:
      return undefined;
  }
}

/** Only what is out of the ordinary is told before a run's end. */
function startLine(
  { missed, deaths, due }: Extract<SchedulerEvent, { readonly event: "run started" }>,
  verbose = false,
): string | undefined {
  const told = [
    missed > 0 ? `for ${groupDigits(missed + 1)} due times` : [],
    deaths > 0 ? `again: ${deaths === 1 ? "a process" : `${deaths} processes`} died of it` : [],
  ].flat();
  if (told.length === 0) return verbose ? `runs for ${due}` : undefined;
  return `runs ${told.join(", ")}`;
}

function endLine(event: Extract<SchedulerEvent, { readonly event: "run ended" }>, style: Style): string {
  const took = style.dim(`in ${formatDuration(event.durationMs)}`);
  if (event.status !== "succeeded") {
    const why = event.error === undefined ? "" : `: ${errorText(event.error)}`;
    return `${style.red(event.status)}${why} ${took}${style.dim(`, run ${event.runId}`)}`;
  }
  const reports = stepReports(event.result);
  const lines = reports === undefined ? [] : summary(reports).trim().split("\n");
  const figures = lines.map((line) => line.replace(/^\S+: /, "").replace(/, [^,]+$/, ""));
  return `${style.green("done")}${figures.length > 0 ? `: ${figures.join(" · ")}` : ""} ${took}`;
}

const errorText = ({ code, message }: EventError): string =>
  printableLines(code === undefined ? message : `${message} (${code})`);
