/** The HTTP API: published sets, for reading only. docs/serving.md says what clients may rely on. */
import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { answerRow } from "./answer-row.ts";
import { answerSet, type Request } from "./answer-set.ts";
import { type Bounds, Counter } from "./bounds.ts";
import type { EventStreams } from "./event-streams.ts";
import { errorResponse, HttpError } from "./http-error.ts";
import { listSets } from "./list-sets.ts";
import { refuseHost } from "./listen.ts";
import { chooseFormat, TYPES } from "./negotiate.ts";
import { parsePath } from "./request-path.ts";
import type { ServedSet } from "./served-sets.ts";

export interface AppOptions {
  readonly sets: ReadonlyMap<string, ServedSet>;
  readonly streams: EventStreams;
  readonly bounds: Bounds;
  /** Origins whose pages may read; none by default. */
  readonly origins: readonly string[];
  /** Names under which the server may be called; any where there are none. */
  readonly hosts: ReadonlySet<string> | undefined;
  /** Told of errors that nobody foresaw. */
  readonly unexpected: (error: unknown) => void;
}

type Environment = { Bindings: HttpBindings };

const METHODS = ["GET", "HEAD"];

export function createApp(options: AppOptions): Hono<Environment> {
  const { sets, origins, hosts } = options;
  const answers = new Counter(options.bounds.answers, "more answers");
  const app = new Hono<Environment>();
  app.onError((error) => errorResponse(error, options.unexpected));
  app.use(async (context, next) => {
    refuseHost(context.req.header("host"), hosts, "Name it with `ingot serve --allow-host NAME`.");
    await next();
  });
  if (origins.length > 0) {
    app.use(
      cors({
        origin: origins.includes("*") ? "*" : [...origins],
        allowMethods: METHODS,
        allowHeaders: ["If-None-Match", "Last-Event-ID"],
        exposeHeaders: ["ETag", "Ingot-Token", "Ingot-Published-At", "Retry-After"],
        maxAge: 600,
      }),
    );
  }
  app.get("*", async (context) => {
    const answer = await answerPath(
      requestOf(context, answers, options.bounds.longest),
      context,
      sets,
      options.streams,
    );
    answer.headers.set("x-content-type-options", "nosniff");
    return answer;
  });
  app.all("*", () => {
    throw new HttpError(405, "METHOD_NOT_ALLOWED", "this API is for reading only", {
      allowed: METHODS.join(", "),
      next: "Publish with `ingot publish`.",
      headers: { allow: METHODS.join(", ") },
    });
  });
  return app;
}

async function answerPath(
  request: Request,
  context: Context<Environment>,
  sets: ReadonlyMap<string, ServedSet>,
  streams: EventStreams,
): Promise<Response> {
  const { root, segments, query } = parsePath(context.env.incoming.url ?? "/");
  if (root === "healthz" && segments.length === 0) {
    return Response.json({ status: "ok" }, { headers: { "cache-control": "no-store" } });
  }
  if (root !== "v1")
    throw notFound("PATH_UNKNOWN", "there is nothing at this path", undefined, "/v1/, /healthz");
  const [pipeline, metric, ...key] = segments;
  if (pipeline === undefined || metric === undefined) return listSets(request, sets, pipeline);
  const served = sets.get(`${pipeline}/${metric}`);
  if (served === undefined) {
    const known = [...sets.keys()].join(", ");
    throw notFound("METRIC_UNKNOWN", "no such set is published", `${pipeline}/${metric}`, known);
  }
  if (key.length === 1 && key[0] === "events") return events(request, context, served, streams);
  const parts = key.length > 0 ? key : query.getAll("key");
  return parts.length > 0
    ? answerRow(request, served, parts)
    : answerSet(request, served, query.get("format"));
}

function events(
  request: Request,
  { req }: Context<Environment>,
  served: ServedSet,
  streams: EventStreams,
): Response {
  chooseFormat(["events"], request.accept, null);
  const headers = { "content-type": TYPES.events, "cache-control": "no-store", "x-accel-buffering": "no" };
  if (request.headOnly) return new Response(null, { headers });
  const from = req.header("last-event-id") || undefined;
  return new Response(streams.start(served, from, request.sever), { headers });
}

function requestOf({ req, env }: Context<Environment>, answers: Counter, longest: number): Request {
  return {
    headOnly: req.raw.method === "HEAD",
    accept: req.header("accept"),
    ifNoneMatch: req.header("if-none-match"),
    answers,
    longest,
    sever: () => env.outgoing.destroy(),
  };
}

const notFound = (code: string, message: string, value: string | undefined, allowed: string): HttpError =>
  new HttpError(404, code, message, {
    ...(value === undefined ? {} : { value: value.slice(0, 200) }),
    allowed,
    next: "GET /v1/ lists what there is.",
  });
