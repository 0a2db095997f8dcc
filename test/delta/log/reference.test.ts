/** The log of tables that other engines wrote: what is live, at every version that can be read. */
import { describe, expect, it } from "vitest";
import type { AddFile } from "../../../lakehouse/delta/actions.ts";
import { loadSnapshot } from "../../../lakehouse/delta/load.ts";
import { countRows } from "../../../lakehouse/delta/stats.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { MemoryStore } from "../../../lakehouse/store/memory.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { type ReferenceTable, referenceTables } from "../../support/reference-tables.ts";

const duckdb = await useDuckDb();
const reference = referenceTables();

/** Features of readers that the kernel refuses, by the name of the feature. */
const REFUSED = /catalogOwned|catalogManaged/i;

const refusedFeature = (table: ReferenceTable) =>
  table.readerFeatures.find((feature) => REFUSED.test(feature));
/** Statistics with empty members left out, and timestamps to the millisecond. */
function withoutEmpty(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/^(\d{4}-\d\d-\d\dT[\d:]+\.\d{3})\d*(Z?)$/, "$1$2");
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([name, inner]) => [name, withoutEmpty(inner)] as const);
  const kept = members.filter(([, inner]) => inner !== undefined && inner !== null);
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

const storeOf = (table: ReferenceTable) => new LocalStore(reference?.pathOf(table) ?? "");

const tables = (reference?.tables ?? []).filter((table) => table.kind !== "must-error");

describe.runIf(reference)("reference tables", () => {
  it.each(tables.map((table) => [table.id, table] as const))("%s", async (_id, table) => {
    const store = storeOf(table);
    const feature = refusedFeature(table);
    if (feature !== undefined) {
      const refused = { code: "DELTA_UNSUPPORTED_FEATURE", value: expect.stringContaining(feature) };
      return expect(loadSnapshot(store, duckdb)).rejects.toMatchObject(refused);
    }
    const newest = await loadSnapshot(store, duckdb);
    expect(newest?.version).toBe(table.latest);
    expect(newest?.files.size).toBe(table.liveFiles);
    expect(newest?.timestamp).toBeTypeOf("number");
    const { minReaderVersion, minWriterVersion } = newest?.protocol ?? {};
    expect([minReaderVersion, minWriterVersion]).toEqual(table.protocol);
    if (table.liveKeys) {
      const paths = table.liveKeys.map((key) => key.slice(0, key.indexOf("|"))).sort();
      expect([...(newest?.files.values() ?? [])].map(({ path }) => path).sort()).toEqual(paths);
    }
    const known = [...(newest?.files.values() ?? [])].every(({ stats }) => stats?.includes('"numRecords"'));
    if (known && table.rows !== null && table.rows !== undefined) {
      expect(countRows(newest?.files.values() ?? [])).toBe(table.rows);
    }
    for (const [version, rows] of Object.entries(table.rowsPerVersion)) {
      const snapshot = await loadSnapshot(store, duckdb, Number(version));
      const files = [...(snapshot?.files.values() ?? [])];
      if (rows !== null && files.every(({ stats }) => stats?.includes('"numRecords"'))) {
        expect([version, countRows(files)]).toEqual([version, rows]);
      }
    }
  });

  const checkpointed = tables.filter(
    (table) =>
      table.firstCommit === 0 &&
      table.features.some((name) => name.startsWith("ckpt:")) &&
      refusedFeature(table) === undefined &&
      !table.id.includes("err__") &&
      // Its checkpoint was made without the statistics of its commits.
      table.id !== "kernel-rs/parquet_row_group_skipping",
  );
  it.each(checkpointed.map((table) => [table.id, table] as const))(
    "%s says the same through its checkpoints as through its commits",
    async (_id, table) => {
      const commits = new MemoryStore();
      const store = storeOf(table);
      for (const { path } of await store.list("_delta_log/0")) {
        if (path.endsWith(".json") && !path.includes("checkpoint")) {
          await commits.put(path, (await store.get(path)) ?? new Uint8Array());
        }
      }
      const through = await loadSnapshot(store, duckdb);
      const replayed = await loadSnapshot(commits, duckdb);
      const comparable = (files: Iterable<AddFile> = []) =>
        Object.fromEntries(
          [...files].map(({ path, tags: _tags, stats, ...file }) => [
            path,
            { ...file, stats: stats && withoutEmpty(JSON.parse(stats)) },
          ]),
        );
      expect(comparable(through?.files.values())).toEqual(comparable(replayed?.files.values()));
      expect({ ...through?.metadata, schemaString: "" }).toEqual({ ...replayed?.metadata, schemaString: "" });
      expect(through?.schema).toEqual(replayed?.schema);
      expect(through?.protocol).toEqual(replayed?.protocol);
      expect(through?.transactions).toEqual(replayed?.transactions);
      expect(through?.domains).toEqual(replayed?.domains);
    },
  );

  it.each([
    ["golden/deltalog-invalid-protocol-version", "DELTA_UNSUPPORTED_FEATURE", /reader version 99/],
    ["golden/deltalog-state-reconstruction-without-metadata", "DELTA_INCOMPLETE_LOG", /no metadata/],
    ["golden/deltalog-state-reconstruction-without-protocol", "DELTA_INCOMPLETE_LOG", /no protocol/],
    ["delta-rs/err__table_c", "DELTA_LOG_GAP", /version 12 is missing before 13/],
  ])("%s is refused", async (id, code, message) => {
    const store = new LocalStore(reference?.pathOf({ id }) ?? "");
    const error: unknown = await loadSnapshot(store, duckdb).catch((e: unknown) => e);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
