/** What a process that runs schedules answers to those that watch over it: liveness, readiness, metrics. */
import { Hono } from "hono";
import type { SchedulerHealth } from "../scheduler/health.ts";
import { errorResponse, HttpError } from "../serve/http-error.ts";
import { refuseHost } from "../serve/listen.ts";
import { unreadyReasons } from "./readiness.ts";

export interface WatchAppOptions {
  readonly state: () => SchedulerHealth;
  /** The answer to a scrape. */
  readonly metrics: () => Promise<{ readonly text: string; readonly type: string }>;
  /** Names under which it may be called; any where there are none. */
  readonly hosts: ReadonlySet<string> | undefined;
  /** Told of errors that nobody foresaw. */
  readonly unexpected: (error: unknown) => void;
}

const NO_STORE = { "cache-control": "no-store", "x-content-type-options": "nosniff" };
const METHODS = "GET, HEAD";

export function createWatchApp({ state, metrics, hosts, unexpected }: WatchAppOptions): Hono {
  const app = new Hono();
  app.onError((error) => errorResponse(error, unexpected));
  app.use(async (context, next) => {
    refuseHost(context.req.header("host"), hosts, "Call it localhost, or listen elsewhere with --host.");
    await next();
  });
  app.get("/healthz", () => {
    const { owner, startedAt, stopping } = state();
    return Response.json({ owner, startedAt, stopping }, { headers: NO_STORE });
  });
  app.get("/readyz", () => {
    const reasons = unreadyReasons(state());
    const ready = reasons.length === 0;
    const body = ready ? { ready } : { ready, reasons };
    return Response.json(body, { status: ready ? 200 : 503, headers: NO_STORE });
  });
  app.get("/metrics", async () => {
    const { text, type } = await metrics();
    return new Response(text, { headers: { ...NO_STORE, "content-type": type } });
  });
  app.get("*", () => {
    throw new HttpError(404, "PATH_UNKNOWN", "there is nothing at this path", {
      allowed: "/healthz, /readyz, /metrics",
      next: "Ask for one of these.",
    });
  });
  app.all("*", () => {
    throw new HttpError(405, "METHOD_NOT_ALLOWED", "this is for reading only", {
      allowed: METHODS,
      next: "`ingot schedule` pauses, resumes and runs.",
      headers: { allow: METHODS },
    });
  });
  return app;
}
