import { describe, expect, it } from "vitest";
import type { CommitOutcome } from "../../lakehouse/delta/commit.ts";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";
import { readRows, writeRows } from "../support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const stores = {
  memory: () => new MemoryStore(),
  local: () => new LocalStore(`${folder.path}/${crypto.randomUUID()}`),
};
const row = (id: number) => `SELECT ${id} AS id, 'n${id}' AS name, ${id} AS price`;

describe.each(Object.entries(stores))("commits on a %s store", (_name, makeStore) => {
  it("racing appends all land, each once, in versions without gaps", async () => {
    const store = makeStore();
    await writeRows(duckdb, new DeltaTable(store, duckdb), row(0));
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, i) => writeRows(duckdb, new DeltaTable(store, duckdb), row(i + 1))),
    );
    expect(outcomes.map((o) => o.version).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
    const rows = await readRows(duckdb, new DeltaTable(store, duckdb));
    expect(rows.map((r) => r.id)).toEqual(Array.from({ length: 13 }, (_, i) => BigInt(i)));
  });

  it("of racing creators one makes the table", async () => {
    const store = makeStore();
    const outcomes = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        writeRows(duckdb, new DeltaTable(store, duckdb), row(i), { base: undefined }),
      ),
    );
    expect(outcomes.filter((o) => o.status === "committed")).toHaveLength(1);
  });
});

/** Commits `mine` on a base that a rival's commit has left behind. */
async function against(
  rival: (table: DeltaTable) => Promise<CommitOutcome>,
  mine: Parameters<typeof writeRows>[3],
): Promise<CommitOutcome> {
  const store = new MemoryStore();
  const table = new DeltaTable(store, duckdb);
  // A table with domain metadata takes all kinds of commits.
  await writeRows(duckdb, table, row(1), {
    domains: [{ domain: "base", configuration: "", removed: false }],
  });
  const base = await table.existingSnapshot();
  await rival(new DeltaTable(store, duckdb));
  return writeRows(duckdb, new DeltaTable(store, duckdb), row(2), { ...mine, base });
}

const append = (table: DeltaTable) => writeRows(duckdb, table, row(9));
const overwrite = (table: DeltaTable) => writeRows(duckdb, table, row(9), { overwrite: true });
const txn = { transactions: [{ appId: "feed", version: 1 }] };
const domain = { domains: [{ domain: "d", configuration: "{}", removed: false }] };

it.each([
  ["append over append", append, {}, "committed"],
  ["append over overwrite", overwrite, {}, "committed"],
  ["overwrite over append", append, { overwrite: true }, "lost"],
  ["overwrite over overwrite", overwrite, { overwrite: true }, "lost"],
  ["one application twice", (t: DeltaTable) => writeRows(duckdb, t, row(9), txn), txn, "lost"],
  ["one domain twice", (t: DeltaTable) => writeRows(duckdb, t, row(9), domain), domain, "lost"],
  [
    "another application",
    (t: DeltaTable) => writeRows(duckdb, t, row(9), txn),
    { transactions: [{ appId: "b", version: 1 }] },
    "committed",
  ],
])("%s: %#", async (_name, rival, mine, status) => {
  expect(await against(rival, mine)).toMatchObject({ status });
});

it("knows its own commit again when the store said that it failed", async () => {
  const store = new MemoryStore();
  const outcome = await writeRows(
    duckdb,
    new DeltaTable(faultyStore(store, [{ failAfter: true }]), duckdb),
    row(1),
  );
  expect(outcome).toEqual({ status: "committed", version: 0 });
  expect(await readRows(duckdb, new DeltaTable(store, duckdb))).toHaveLength(1);
});

it("does not take a rival's commit for its own when the store failed", async () => {
  const store = new MemoryStore();
  await writeRows(duckdb, new DeltaTable(store, duckdb), row(0));
  const faulty = faultyStore(store, [
    {
      before: async () => void (await writeRows(duckdb, new DeltaTable(store, duckdb), row(1))),
      failBefore: true,
    },
  ]);
  const outcome = await writeRows(duckdb, new DeltaTable(faulty, duckdb), row(2));
  expect(outcome).toEqual({ status: "committed", version: 2 });
  expect((await readRows(duckdb, new DeltaTable(store, duckdb))).map((r) => r.id)).toEqual([0n, 1n, 2n]);
});

it("tries again after a failure that wrote nothing, and passes on the third", async () => {
  const store = new MemoryStore();
  const failure = { failBefore: true };
  const table = new DeltaTable(faultyStore(store, [failure, failure, failure, failure]), duckdb);
  await expect(writeRows(duckdb, table, row(1))).rejects.toThrow("connection lost");
  expect(await new DeltaTable(store, duckdb).snapshot()).toBeUndefined();
  expect(await writeRows(duckdb, table, row(1))).toMatchObject({ status: "committed", version: 0 });
});

it("commits even when no checkpoint can be written", async () => {
  class NoCheckpoints extends MemoryStore {
    override async put(path: string, bytes: Uint8Array): Promise<void> {
      if (path.includes("checkpoint")) throw new Error("disk full");
      await super.put(path, bytes);
    }
  }
  const errors: unknown[] = [];
  const options = { checkpointInterval: 1, onCheckpointError: (error: unknown) => errors.push(error) };
  const table = new DeltaTable(new NoCheckpoints(), duckdb, options);
  await writeRows(duckdb, table, row(0));
  expect(await writeRows(duckdb, table, row(1))).toEqual({ status: "committed", version: 1 });
  expect(errors).toHaveLength(1);
});
