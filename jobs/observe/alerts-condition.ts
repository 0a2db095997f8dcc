/** What an alert is about: something that is not as it should be, or that is as it should be again. */

/** As the setting `alerts.on` has them. */
export type AlertKind = "failure" | "staleness" | "quarantine" | "slot";

export interface Condition {
  readonly alert: AlertKind;
  /** `commerce.refresh`, `gold.daily_revenue`, the name of a slot. */
  readonly subject: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** One line, free of secrets. */
  readonly summary: string;
  readonly details: Readonly<Record<string, string | number>>;
  readonly runId?: string | undefined;
  /** What to do about it. */
  readonly next: string;
  /** How much of it there is: it is told again when it has doubled. */
  readonly size?: number | undefined;
  /** How bad it is, of its kind: it is told again when it has got worse. */
  readonly gravity?: number | undefined;
}

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
