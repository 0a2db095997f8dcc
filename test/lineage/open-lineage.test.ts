import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import type { ProgressEvent, ProgressListener } from "../../lakehouse/progress.ts";
import { full, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { type BuildRun, openLineageEvents } from "../../layers/lineage/open-lineage/events.ts";
import { reportBuild } from "../../layers/lineage/open-lineage/report-build.ts";
import type { BuildReport } from "../../layers/models/build.ts";
import { defineTable, long, text } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const items = defineTable({
  name: "items",
  description: "current items",
  key: ["id"],
  columns: { id: long(), kind: text().describe("what it is") },
});
const kinds = defineTable({
  name: "kinds",
  description: "by kind",
  columns: { kind: text(), items: long() },
});

async function shop(): Promise<PipelineDefinition> {
  const root = `${folder.path}/shop`;
  await mkdir(`${root}/silver`, { recursive: true });
  await mkdir(`${root}/gold`, { recursive: true });
  await writeFile(
    `${root}/silver/items.sql`,
    "SELECT id, upper(kind) AS kind FROM bronze.items WHERE state = 'ok'",
  );
  await writeFile(
    `${root}/gold/kinds.sql`,
    "SELECT kind, count(id) AS items FROM silver.items GROUP BY kind",
  );
  return {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { items: {} } }),
    silver: { items: merge(items) },
    gold: { kinds: full(kinds) },
  };
}

/** A build as its progress shows it: both models run; the second fails where it is told to. */
const ran =
  (failure?: Error) =>
  async (onProgress: ProgressListener): Promise<BuildReport[]> => {
    onProgress({ task: "silver.items", state: "running" });
    onProgress({ task: "silver.items", state: "done", rows: 3 });
    onProgress({ task: "gold.kinds", state: "running" });
    onProgress({ task: "gold.kinds", state: failure ? "failed" : "done" });
    if (failure) throw failure;
    const report = (model: string, version: number): BuildReport =>
      ({ model, status: "rebuilt", rowsIn: 3, rowsOut: 3, bytes: 99, version }) as BuildReport;
    return [report("silver.items", 4), report("gold.kinds", 7)];
  };

interface Sent {
  readonly path: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly event: ReturnType<typeof openLineageEvents>[number];
}

/** A service that keeps what it is sent, and answers with this status. */
async function service(status: number): Promise<{ url: string; sent: Sent[]; stop: () => void }> {
  const sent: Sent[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      sent.push({ path: request.url, headers: request.headers, event: JSON.parse(body) });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `127.0.0.1:${port}`, sent, stop: () => server.close() };
}

async function report(openLineage: object, failure?: Error) {
  const progress: ProgressEvent[] = [];
  const lake = newLake(folder.path, duckdb);
  const context = {
    lake,
    lakeRoot: "s3://bucket/lake",
    folder: folder.path,
    openLineage: { namespace: "tests", ...openLineage },
    onProgress: (event: ProgressEvent) => void progress.push(event),
  };
  const outcome = await reportBuild(context, await shop(), ran(failure)).catch((error: unknown) => error);
  return { outcome, warnings: progress.filter(({ task }) => task === "openlineage") };
}

it("tells of each model its run, its table and where its columns come from", async () => {
  const { url, sent, stop } = await service(201);
  const { outcome, warnings } = await report({ url: `http://${url}`, apiKey: "key" });
  stop();
  expect(outcome).toHaveLength(2);
  expect(warnings).toEqual([]);
  expect(sent.map(({ event }) => [event.job.name, event.eventType])).toEqual([
    ["shop.silver.items", "START"],
    ["shop.silver.items", "COMPLETE"],
    ["shop.gold.kinds", "START"],
    ["shop.gold.kinds", "COMPLETE"],
  ]);
  expect(sent[0]).toMatchObject({ path: "/api/v1/lineage", headers: { authorization: "Bearer key" } });
  const [start, complete] = sent.map(({ event }) => event);
  expect(start?.run.runId).toBe(complete?.run.runId);
  expect(start?.run.runId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(complete).toMatchObject({
    eventTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    schemaURL: "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    run: { facets: { parent: { job: { namespace: "tests", name: "shop.build" } } } },
    job: { namespace: "tests", facets: { sql: { query: expect.stringContaining("upper(kind)") } } },
    inputs: [{ namespace: "s3://bucket", name: "lake/shop/bronze/items" }],
    outputs: [
      {
        namespace: "s3://bucket",
        name: "lake/shop/silver/items",
        outputFacets: { outputStatistics: { rowCount: 3, size: 99 } },
        facets: {
          version: { datasetVersion: "4" },
          schema: {
            fields: [
              { name: "id", type: "long", ordinal_position: 1 },
              { name: "kind", type: "string", description: "what it is", ordinal_position: 2 },
            ],
          },
          columnLineage: {
            _schemaURL: expect.stringContaining("/1-2-0/ColumnLineageDatasetFacet.json"),
            fields: {
              kind: {
                inputFields: [
                  {
                    name: "lake/shop/bronze/items",
                    field: "kind",
                    transformations: [{ type: "DIRECT", subtype: "TRANSFORMATION" }],
                  },
                ],
              },
            },
            dataset: [{ field: "state", transformations: [{ type: "INDIRECT", subtype: "FILTER" }] }],
          },
        },
      },
    ],
  });
});

it("tells what failed and why, without secrets, and lets the failure through", async () => {
  const failure = new Error("no access to postgres://me:hunter2@host/db");
  await report({ file: "out/failed.jsonl" }, failure).then(({ outcome }) => expect(outcome).toBe(failure));
  const text = await readFile(`${folder.path}/out/failed.jsonl`, "utf8");
  const events = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(events.map((event) => event.eventType)).toEqual(["START", "COMPLETE", "START", "FAIL"]);
  expect(events[1].outputs[0].outputFacets.outputStatistics).toMatchObject({ rowCount: 3 });
  expect(events[3].run.facets.errorMessage.message).toContain("no access");
  expect(text).not.toContain("hunter2");
});

it("warns, and no more, where the service is away or refuses", async () => {
  const { url, stop } = await service(500);
  const refused = await report({ url: `http://me:hunter2@${url}/custom` });
  stop();
  expect(refused.outcome).toHaveLength(2);
  expect(refused.warnings).toMatchObject([
    { state: "failed", note: expect.stringContaining("answered 500") },
  ]);
  const away = await report({ url: "http://me:hunter2@127.0.0.1:1" });
  expect(away.outcome).toHaveLength(2);
  expect(away.warnings).toHaveLength(1);
  expect(JSON.stringify([refused.warnings, away.warnings])).not.toContain("hunter2");
});

it("sends name and password of the address as a header, and to its path", async () => {
  const { url, sent, stop } = await service(200);
  await report({ url: `http://me:p%40ss@${url}/custom` });
  stop();
  expect(sent[0]).toMatchObject({
    path: "/custom",
    headers: { authorization: `Basic ${Buffer.from("me:p@ss").toString("base64")}` },
  });
});

it("is silent where nothing ran", async () => {
  const lake = newLake(folder.path, duckdb);
  const openLineage = { file: "out/silent.jsonl", namespace: "tests" };
  const context = { lake, lakeRoot: "/lake", folder: folder.path, openLineage, onProgress: () => {} };
  await reportBuild(context, await shop(), async (onProgress) => {
    onProgress({ task: "silver.items", state: "skipped" });
    return [];
  });
  await expect(readFile(`${folder.path}/out/silent.jsonl`)).rejects.toMatchObject({ code: "ENOENT" });
});

it("gives the same events for the same run, and names a folder's tables by path", () => {
  const run: BuildRun = {
    id: "7d5a1f6e-3f0f-4a57-9d0c-0a8a3c1b2d4e",
    pipeline: "shop",
    namespace: "tests",
    lakeRoot: "/srv/lake/",
    models: [
      {
        model: "gold.kinds",
        sql: "SELECT 1",
        description: "",
        schema: { type: "struct", fields: [] },
        inputs: ["silver.items"],
        lineage: undefined,
        startedAt: 1000,
        endedAt: 500,
        outcome: { status: "done", rows: 0, bytes: 0 },
      },
    ],
  };
  const events = openLineageEvents(run);
  expect(openLineageEvents(run)).toEqual(events);
  expect(events[1]).toMatchObject({
    eventTime: "1970-01-01T00:00:01.000Z",
    inputs: [{ namespace: "file", name: "/srv/lake/shop/silver/items" }],
  });
});
