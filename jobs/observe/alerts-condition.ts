/** What an alert is about: something that is not as it should be, or that is as it should be again. */

import { z } from "zod";

export const conditionSchema = z.object({
  /** As the setting `alerts.on` has them. */
  alert: z.enum(["failure", "staleness", "quarantine", "slot"]),
  /** `commerce.refresh`, `gold.daily_revenue`, the name of a slot. */
  subject: z.string(),
  /** Milliseconds since the epoch. */
  since: z.number(),
  /** One line, free of secrets. */
  summary: z.string(),
  details: z.record(z.string(), z.union([z.string(), z.number()])),
  runId: z.string().optional(),
  /** What to do about it. */
  next: z.string(),
  /** How much of it there is: it is told again when it has doubled. */
  size: z.number().optional(),
  /** How bad it is, of its kind: it is told again when it has got worse. */
  gravity: z.number().optional(),
});

export type Condition = Readonly<z.output<typeof conditionSchema>>;
export type AlertKind = Condition["alert"];

/** What was found out about one thing. */
export interface Verdict {
  /** Tells it from everything else of the pipeline; begins with the word for where it was found out. */
  readonly key: string;
  /** Absent where it is as it should be. */
  readonly condition?: Condition;
}

/** Characters of an error's message that go into a summary. */
const LONGEST = 400;

/** An error in a summary: one line, not too long. */
export function briefly(code: string | undefined, message: string): string {
  const line = message.replace(/\s+/g, " ").trim();
  const short = line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
  return code === undefined ? short : `${short} (${code})`;
}
