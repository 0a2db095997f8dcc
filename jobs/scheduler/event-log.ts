/** Events as structured lines, one JSON object each. */
import { pino } from "pino";
import type { SchedulerEvent, SchedulerListener } from "./events.ts";
import { stepFigures } from "./run-result.ts";

/** Events that say that something is wrong. */
const LEVELS: Partial<Record<SchedulerEvent["event"], "warn" | "debug">> = {
  expected: "debug",
  batch: "debug",
  "run failed": "warn",
  "run late": "warn",
  trouble: "warn",
};

/** Writes events as lines; what is expected, and every batch, only where it is asked for. */
export function eventLog(
  owner: string,
  stream: { write(text: string): void },
  { verbose = false }: { readonly verbose?: boolean } = {},
): SchedulerListener {
  const logger = pino(
    {
      level: verbose ? "debug" : "info",
      base: { owner },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  return (event) => {
    const failed = event.event === "run ended" && event.status !== "succeeded";
    const level = failed ? "error" : (LEVELS[event.event] ?? "info");
    const { event: message, ...fields } = event;
    // Every line has the owner.
    if (event.event === "started") return logger.info({ jobs: event.jobs }, message);
    if (event.event !== "run ended") return logger[level](fields, message);
    const { result, ...rest } = event;
    const steps = stepFigures(result);
    logger[level]({ ...rest, event: undefined, ...(steps === undefined ? {} : { steps }) }, message);
  };
}
