import { describe, expect, it } from "vitest";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { readRows, writeRows } from "../support/rows.ts";
import { s3Available, useS3 } from "../support/s3.ts";
import { type Mishap, useTearingProxy } from "../support/tearing-proxy.ts";

const s3 = useS3();
const proxy = useTearingProxy(() => s3.endpoint);
const duckdb = await useDuckDb();
const row = (id: number) => `SELECT ${id} AS id, 'n${id}' AS name, ${id} AS price`;
const append = (store: ObjectStore, id: number) => writeRows(duckdb, new DeltaTable(store, duckdb), row(id));
const ids = async (store: ObjectStore) =>
  (await readRows(duckdb, new DeltaTable(store, duckdb))).map((r) => r.id).sort();

describe.skipIf(!s3Available())("commits on S3", () => {
  it("racing appends all land, each once, in versions without gaps", async () => {
    const store = s3.store();
    await append(store, 0);
    const outcomes = await Promise.all(Array.from({ length: 8 }, (_, i) => append(store, i + 1)));
    expect(outcomes.map((o) => o.version).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(await ids(store)).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n]);
  });

  it.each<[string, Mishap]>([
    ["the answer is lost", { kind: "tear-after" }],
    ["the answer is torn off", { kind: "tear-body" }],
    ["writers are throttled", { kind: "answer", status: 503, code: "SlowDown" }],
    ["writes collide", { kind: "answer", status: 409, code: "ConditionalRequestConflict" }],
  ])("a commit lands once, and is known to have landed, when %s", async (_name, mishap) => {
    const store = s3.store(undefined, { endpoint: proxy.endpoint });
    await append(store, 1);
    proxy.plan.push({ when: (method, url) => method === "PUT" && url.includes("1.json"), mishap });
    expect(await append(store, 2)).toMatchObject({ status: "committed", version: 1 });
    expect(proxy.plan).toEqual([]);
    expect(await ids(store)).toEqual([1n, 2n]);
  });

  it("a commit that did not arrive is sent again; after the third time it is told as a failure", async () => {
    const store = s3.store(undefined, { endpoint: proxy.endpoint });
    await append(store, 1);
    const tear = {
      when: (method: string, url: string) => method === "PUT" && url.includes("1.json"),
      mishap: { kind: "tear-before" as const },
    };
    proxy.plan.push(tear, tear, tear);
    await expect(append(store, 2)).rejects.toMatchObject({ name: "TransientError", code: "S3_FAILED" });
    proxy.plan.push(tear);
    expect(await append(store, 2)).toMatchObject({ status: "committed", version: 1 });
    expect(await ids(store)).toEqual([1n, 2n]);
  });
});
