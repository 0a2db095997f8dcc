/** Traces as a collector gets them, of commands and of `ingot start`. */
import { mkdir } from "node:fs/promises";
import { beforeAll, expect, it } from "vitest";
import { tracesAddress } from "../../jobs/observe/tracing.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake, openStore } from "../../lakehouse/lake.ts";
import { ingotCli } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";
import { queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";
import { type Received, useReceiver } from "./receiver.ts";
import { SHOP_TABLES, type ShopProject, writeShop } from "./shop-project.ts";
import { Started } from "./started.ts";

const folder = useFolder();
const database = useDatabase();
const collector = useReceiver();

beforeAll(async () => {
  await database.query(SHOP_TABLES);
  await database.query("INSERT INTO orders VALUES (1, 'a', 10), (2, 'a', 20), (3, 'b', 5)");
});

async function project(shop: ShopProject = {}): Promise<string> {
  const path = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(path);
  await writeShop(path, shop);
  return path;
}

const environment = (more: Readonly<Record<string, string>> = {}) => ({
  DATABASE_URL: database.url,
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  ...more,
});

interface Span {
  readonly name: string;
  readonly trace: string;
  readonly id: string;
  readonly parent: string | undefined;
  readonly start: bigint;
  readonly end: bigint;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly string[];
}

interface Otlp {
  readonly resourceSpans: {
    readonly resource: { readonly attributes: Attribute[] };
    readonly scopeSpans: { readonly spans: OtlpSpan[] }[];
  }[];
}
interface OtlpSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code: number };
  readonly attributes: Attribute[];
  readonly events: { readonly name: string }[];
}
interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

const attributesOf = (list: readonly Attribute[]) =>
  Object.fromEntries(
    list.map(({ key, value }) => [
      key,
      "intValue" in value ? Number(value.intValue) : Object.values(value)[0],
    ]),
  );

/** The spans of what was received, by OTLP's JSON. */
function spansOf(received: readonly Received[]): Span[] {
  return received.flatMap(({ body }) =>
    (JSON.parse(body) as Otlp).resourceSpans.flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap(({ spans }) =>
        spans.map((span) => ({
          name: span.name,
          trace: span.traceId,
          id: span.spanId,
          parent: span.parentSpanId,
          start: BigInt(span.startTimeUnixNano),
          end: BigInt(span.endTimeUnixNano),
          failed: span.status.code === 2,
          attributes: attributesOf(span.attributes),
          events: span.events.map(({ name }) => name),
        })),
      ),
    ),
  );
}

/** Names of spans, each below its parent. */
function treeOf(spans: readonly Span[], parent?: string): unknown[] {
  return spans
    .filter((span) => span.parent === parent)
    .toSorted((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : a.name < b.name ? -1 : 1))
    .map((span) => {
      const below = treeOf(spans, span.id);
      return below.length === 0 ? span.name : [span.name, below];
    });
}

const named = (spans: readonly Span[], name: string): Span => {
  const found = spans.filter((span) => span.name === name);
  if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} spans ${name}`);
  return found[0];
};

it("a run of a command is one trace: steps, and in them the tables that were worked on", async () => {
  const path = await project();
  expect(await ingotCli(path, ["run"], environment())).toMatchObject({ code: 0 });
  expect(new Set(collector.received.map((request) => request.path))).toEqual(new Set(["/v1/traces"]));
  const spans = spansOf(collector.received);
  expect(treeOf(spans)).toEqual([
    [
      "ingot run",
      [
        ["sync shop", ["bronze.orders"]],
        ["build shop", ["silver.orders", "gold.totals"]],
        ["publish shop", ["publish totals"]],
      ],
    ],
  ]);
  expect(new Set(spans.map(({ trace }) => trace)).size).toBe(1);
  expect(spans[0]?.trace).toMatch(/^[0-9a-f]{32}$/);
  expect(spans.filter(({ failed }) => failed)).toEqual([]);
  const byId = new Map(spans.map((span) => [span.id, span]));
  for (const span of spans) {
    const parent = span.parent === undefined ? undefined : byId.get(span.parent);
    expect(span.start <= span.end).toBe(true);
    if (parent !== undefined) expect(parent.start <= span.start && span.end <= parent.end).toBe(true);
  }
  expect(named(spans, "bronze.orders").attributes).toMatchObject({
    "ingot.table": "bronze.orders",
    "ingot.rows": 3,
    "ingot.version": expect.any(Number),
    "ingot.bytes": expect.any(Number),
    "ingot.status": "committed",
  });
  expect(named(spans, "gold.totals").attributes).toMatchObject({ "ingot.rows": 2, "ingot.version": 0 });
  expect(named(spans, "publish totals").attributes).toMatchObject({ "ingot.written": 2 });
  const [request] = collector.received;
  const [first] = (JSON.parse(request?.body ?? "") as Otlp).resourceSpans;
  expect(attributesOf(first?.resource.attributes ?? [])).toMatchObject({ "service.name": "ingot" });
  // The journal has the id of the run.
  const duckdb = await DuckDb.open({ memoryMb: 64, threads: 1 });
  try {
    const lake = new Lake(openStore(`${path}/lake`), duckdb);
    const runs = await queryTable(lake, "shop/_ingot/runs", "SELECT DISTINCT run_id FROM t");
    expect(runs).toEqual([{ run_id: named(spans, "ingot run").attributes["ingot.run_id"] }]);
  } finally {
    duckdb.close();
  }
});

it("a run of a schedule has its attempts, their steps and the errors, without secrets; log and journal share its id", async () => {
  const path = await project({
    gold: `SELECT kind, CAST(count(*) AS BIGINT) AS orders,
      CAST(sum(CAST(kind || ' postgres://me:hunter2@host/db' AS INTEGER)) AS BIGINT) AS amount FROM silver.orders GROUP BY kind`,
    pipeline: `schedules: { refresh: { cron: "* * * * * *", retries: 0 } },`,
  });
  const started = new Started(path, ["--json"], environment({ OTEL_SERVICE_NAME: "mine" }));
  const line = await started.logged("run ended", ({ status }) => status === "failed");
  expect(await started.signal("SIGTERM")).toBe("SIGTERM");
  const spans = spansOf(collector.received);
  const run = spans.find(({ attributes }) => attributes["ingot.run_id"] === line.runId);
  if (run === undefined) throw new Error(`no span of the run ${line.runId}`);
  expect(run).toMatchObject({
    name: "run shop.refresh",
    parent: undefined,
    failed: true,
    attributes: { "ingot.job": "shop.refresh", "ingot.reason": "due", "ingot.attempts": 1 },
  });
  expect(treeOf(spans.filter(({ trace }) => trace === run.trace))).toEqual([
    [
      "run shop.refresh",
      [
        ["sync shop", ["bronze.orders"]],
        ["build shop", ["silver.orders", "gold.totals"]],
        // Of what is left nothing is to be published.
        "publish shop",
      ],
    ],
  ]);
  const failed = spans.filter((span) => span.failed && span.trace === run.trace).map(({ name }) => name);
  expect(failed.toSorted()).toEqual(["build shop", "gold.totals", "run shop.refresh"]);
  expect(spans.find(({ name }) => name === "build shop")?.attributes).toMatchObject({ "ingot.attempt": 1 });
  const text = collector.received.map(({ body }) => body).join("");
  expect(text).not.toContain("hunter2");
  expect(text).toContain('"stringValue":"mine"');
  const duckdb = await DuckDb.open({ memoryMb: 64, threads: 1 });
  try {
    const lake = new Lake(openStore(`${path}/lake`), duckdb);
    const tasks = await queryTable(
      lake,
      "shop/_ingot/runs",
      `SELECT task FROM t WHERE run_id = '${line.runId}' ORDER BY ALL`,
    );
    expect(tasks.map(({ task }) => task)).toEqual(["bronze.orders", "gold.totals", "silver.orders"]);
  } finally {
    duckdb.close();
  }
});

it("a collector that answers nothing holds up neither the work nor the end for long, and is complained of", async () => {
  collector.answer(() => {});
  const path = await project();
  const { code, stderr } = await ingotCli(path, ["run"], environment());
  expect(code).toBe(0);
  expect(stderr).toContain("traces are not delivered to 127.0.0.1:");
});

it("an address with a password is not shown where its service refuses", async () => {
  collector.answer((response) => response.writeHead(403).end("hunter3"));
  const path = await project();
  const address = `${collector.url.replace("//", "//me:hunter2@")}/mine?token=hunter2`;
  const { code, stderr } = await ingotCli(
    path,
    ["sync"],
    environment({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: address }),
  );
  expect(code).toBe(0);
  expect(stderr).toMatch(/traces are not delivered to 127\.0\.0\.1:\d+: status 403/);
  expect(stderr).not.toMatch(/hunter/);
  expect(collector.received[0]).toMatchObject({
    path: "/mine?token=hunter2",
    headers: { authorization: `Basic ${Buffer.from("me:hunter2").toString("base64")}` },
  });
});

it("where it is switched off nothing is sent", async () => {
  const path = await project();
  expect(await ingotCli(path, ["sync"], environment({ OTEL_SDK_DISABLED: "true" }))).toMatchObject({
    code: 0,
    stderr: expect.not.stringContaining("traces"),
  });
  expect(collector.received).toEqual([]);
});

it.each([
  [{ url: "http://c:4318" }, "http://c:4318/v1/traces"],
  [{ url: "https://me:word@c/otlp/?key=1" }, "https://me:word@c/otlp/v1/traces?key=1"],
  [{ url: "http://c", tracesUrl: "http://d/mine" }, "http://d/mine"],
  [{}, undefined],
])("traces of %j go to %s", (settings, address) => {
  expect(tracesAddress(settings)).toBe(address);
});
