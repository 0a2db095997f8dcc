/** What a schedule of a configuration must be. */
import { z } from "zod";
import { messageOf } from "../../lakehouse/errors.ts";
import { parseCron } from "../schedule/cron.ts";
import { nextDue } from "../schedule/due-times.ts";
import { isTimeZone } from "../schedule/time-zone.ts";
import type { PipelineDefinition } from "./pipeline.ts";
import type { Schedule } from "./schedule.ts";

const seconds = z.number().positive("seconds, more than 0");

const cron = z.string().superRefine((expression, context) => {
  try {
    parseCron(expression);
  } catch (error) {
    const why = messageOf(error instanceof Error ? (error.cause ?? error) : error);
    context.addIssue({ code: "custom", message: `a cron expression, such as */5 * * * *: ${why}` });
    return;
  }
  if (nextDue({ cron: expression }, Date.UTC(2026, 0, 1)) === undefined)
    context.addIssue({ code: "custom", message: "a cron expression with a day that comes" });
});

const schedule = z
  .strictObject({
    cron: cron.optional(),
    timeZone: z.string().refine(isTimeZone, "an IANA time zone, such as Europe/Berlin").optional(),
    steps: z
      .array(z.enum(["sync", "build", "publish"], '"sync", "build" or "publish"'))
      .min(1, "one step or more")
      .optional(),
    run: z
      .custom<(...args: never[]) => unknown>((value) => typeof value === "function", "a function")
      .optional(),
    jitterSeconds: z.number().nonnegative("seconds, 0 or more").optional(),
    missed: z.enum(["latest", "all", "skip"], '"latest", "all" or "skip"').optional(),
    retries: z.int().nonnegative("a whole number, 0 or more").optional(),
    timeoutSeconds: seconds.optional(),
    after: z.array(z.string()).min(1, "one schedule or more").optional(),
    follow: z
      .union(
        [z.literal(true), z.strictObject({ buildEverySeconds: seconds })],
        "true, or { buildEverySeconds }",
      )
      .optional(),
  })
  .refine(({ cron, after, follow }) => [cron, after, follow].some((when) => when !== undefined), {
    message: "something that says when: cron, after or follow",
  })
  .refine(({ steps, run }) => steps === undefined || run === undefined, {
    path: ["run"],
    message: "no program of its own, where steps are named",
  })
  .refine(({ follow, run }) => follow === undefined || run === undefined, {
    path: ["run"],
    message: "no program of its own, where changes are followed",
  });

/** The schedules of one pipeline, by name. */
export const schedulesSchema = z
  .record(
    z.string().regex(/^[a-z][a-z0-9_]*$/, "lower case letters, digits and _, beginning with a letter"),
    schedule,
  )
  .superRefine((schedules, context) => {
    const named = schedules as unknown as Readonly<Record<string, Schedule>>;
    for (const [name, { after = [] }] of Object.entries(named)) {
      for (const [at, other] of after.entries()) {
        const message = wrongPredecessor(named, name, other);
        if (message !== undefined) context.addIssue({ code: "custom", path: [name, "after", at], message });
      }
    }
  });

function wrongPredecessor(
  schedules: Readonly<Record<string, Schedule>>,
  name: string,
  other: string,
): string | undefined {
  if (!Object.hasOwn(schedules, other)) return `a schedule of this pipeline: ${other} is none`;
  const { cron, after } = schedules[other] ?? {};
  if (cron === undefined && after === undefined)
    return `a schedule that comes to an end: ${other} follows changes all the time`;
  return leadsTo(schedules, other, name, new Set()) ? `no schedule that waits for ${name} itself` : undefined;
}

function leadsTo(
  schedules: Readonly<Record<string, Schedule>>,
  from: string,
  name: string,
  seen: Set<string>,
): boolean {
  if (from === name) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  const after = Object.hasOwn(schedules, from) ? (schedules[from]?.after ?? []) : [];
  return after.some((other) => leadsTo(schedules, other, name, seen));
}

/** A stream of changes has one reader, and a source that is asked by query has no stream. */
export function checkFollowing(
  { schedules = {}, source }: Pick<PipelineDefinition, "schedules" | "source">,
  complain: (path: readonly string[], message: string) => void,
): void {
  const follower = Object.keys(schedules).find((name) => schedules[name]?.follow !== undefined);
  if (follower === undefined) return;
  if (source.changes !== "wal") complain(["schedules", follower, "follow"], 'nothing, unless changes: "wal"');
  for (const [name, { follow, run, steps }] of Object.entries(schedules)) {
    if (name === follower || run !== undefined) continue;
    if (follow !== undefined)
      complain(["schedules", name, "follow"], `nothing: ${follower} follows the changes`);
    else if (steps?.includes("sync") ?? true)
      complain(["schedules", name, "steps"], `steps without sync: ${follower} follows the changes`);
  }
}
