/** An alert as the webhook gets it. */
import { maskSecrets } from "../../lakehouse/secrets.ts";
import type { Notice } from "./alerts-book.ts";

/** What is posted. Times are ISO 8601. */
interface AlertMessage {
  /** Of Slack and whoever takes the same: the summary and what to do, with Slack's own signs escaped. */
  readonly text: string;
  readonly alert: string;
  readonly state: "firing" | "resolved";
  /** The same from the first word about something to the last. */
  readonly id: string;
  readonly pipeline: string;
  readonly subject: string;
  readonly since: string;
  readonly resolvedAt?: string;
  readonly summary: string;
  readonly details: Readonly<Record<string, string | number>>;
  readonly runId?: string;
  readonly next: string;
}

const iso = (time: number): string => new Date(time).toISOString();

export function alertMessage(pipeline: string, { incident, state }: Notice): AlertMessage {
  const { alert, id, subject, since, resolvedAt, details, runId } = incident;
  const summary = maskSecrets(incident.summary);
  const said = state === "firing" ? summary : `Resolved: ${summary}`;
  return {
    text: slackText(state === "firing" ? `${said}\n${incident.next}` : said),
    alert,
    state,
    id,
    pipeline,
    subject,
    since: iso(since),
    ...(resolvedAt === undefined ? {} : { resolvedAt: iso(resolvedAt) }),
    summary: said,
    details,
    ...(runId === undefined ? {} : { runId }),
    next: state === "firing" ? incident.next : "Nothing.",
  };
}

/** The alert that says that alerts arrive. */
export function testMessage(id: string, now: number): AlertMessage {
  const summary = "A test alert of Ingot: alerts arrive here.";
  const about = { alert: "test", state: "firing", id, pipeline: "test", subject: "test" } as const;
  return { text: slackText(summary), ...about, since: iso(now), summary, details: {}, next: "Nothing." };
}

/** Slack takes `<!channel>` in a text for a call of everybody. */
function slackText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
