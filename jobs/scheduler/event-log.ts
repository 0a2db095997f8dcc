/** Events as structured lines, one JSON object each. */
import { pino } from "pino";
import type { SchedulerEvent, SchedulerListener } from "./events.ts";
import { stepFigures } from "./run-result.ts";

/** Events that say that something is wrong. */
const LEVELS: Partial<Record<SchedulerEvent["event"], "warn" | "debug">> = {
  expected: "debug",
  batch: "debug",
  "step ended": "debug",
  "run failed": "warn",
  "run late": "warn",
  trouble: "warn",
  "alert failed": "warn",
};

/** Writes events as lines; what is expected, steps, and every batch, only where they are asked for. */
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
    if (event.event === "working") return logger[event.again ? "info" : "debug"](fields, message);
    if (event.event === "step ended") {
      return logger.debug({ ...fields, report: undefined, ...stepFigures([event.report])?.[0] }, message);
    }
    if (event.event !== "run ended") return logger[level](fields, message);
    const { result, ...rest } = event;
    const steps = stepFigures(result);
    logger[level]({ ...rest, event: undefined, ...(steps === undefined ? {} : { steps }) }, message);
  };
}
