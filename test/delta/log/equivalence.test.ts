/** A version is the same whichever way it was come by. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Action, serializeCommit } from "../../../lakehouse/delta/actions.ts";
import { writeCheckpoint } from "../../../lakehouse/delta/checkpoint/write.ts";
import type { DeletionVector } from "../../../lakehouse/delta/deletion-vector/descriptor.ts";
import { loadSnapshot, refreshSnapshot } from "../../../lakehouse/delta/load.ts";
import { compactionPath } from "../../../lakehouse/delta/log.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { MemoryStore } from "../../../lakehouse/store/memory.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { putCommit, rawAdd, rawRemove, rawTable } from "../../support/raw-log.ts";

const duckdb = await useDuckDb();

/** What one commit does to each of a few files, and beside. */
const step = fc.record({
  files: fc.uniqueArray(fc.record({ path: fc.nat(5), deletesRows: fc.boolean() }), {
    selector: ({ path }) => path,
    maxLength: 4,
  }),
  txn: fc.option(fc.nat(2), { nil: undefined }),
  domain: fc.option(fc.record({ name: fc.nat(2), removed: fc.boolean() }), { nil: undefined }),
  changesTable: fc.boolean(),
  checkpoint: fc.constantFrom("none", "none", "none", "classic", "v2"),
  refresh: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The table by its definition: file → its deletion vector, if any. */
class Model {
  readonly live = new Map<string, DeletionVector | undefined>();
  private vectors = 0;

  actions({ files, txn, domain, changesTable, checkpoint }: Step, version: number): Action[] {
    const actions: Action[] = files.flatMap(({ path, deletesRows }) =>
      this.touch(`a%20${path}.parquet`, deletesRows),
    );
    if (txn !== undefined) actions.push({ txn: { appId: `app ${txn}`, version, lastUpdated: version } });
    if (domain) {
      const { name, removed } = domain;
      actions.push({ domainMetadata: { domain: `d${name}`, configuration: `{"at":${version}}`, removed } });
    }
    const isFirst = version === 0;
    const policy = { "delta.checkpointPolicy": checkpoint === "v2" ? "v2" : "classic" };
    if (isFirst || changesTable || checkpoint !== "none") {
      actions.push(...rawTable({ ...policy, v: `${version}` }));
    }
    return actions;
  }

  private touch(path: string, deletesRows: boolean): Action[] {
    const has = this.live.has(path);
    const vector = this.live.get(path);
    const old = vector === undefined ? {} : { deletionVector: vector };
    if (!has) {
      this.live.set(path, undefined);
      return [rawAdd(path, { partitionValues: { p: null, q: "x" }, tags: { t: "1" }, baseRowId: 7 })];
    }
    if (!deletesRows) {
      this.live.delete(path);
      return [rawRemove(path, { ...old, partitionValues: { p: null }, stats: "{}", size: 3 })];
    }
    const deletionVector: DeletionVector = {
      storageType: "u",
      pathOrInlineDv: `vector-${++this.vectors}`,
      sizeInBytes: 10,
      cardinality: this.vectors,
      ...(this.vectors % 2 === 0 ? { offset: this.vectors } : {}),
    };
    this.live.set(path, deletionVector);
    const stats = '{"numRecords":9007199254740993,"minValues":{"é":"\\"x"}}';
    return [rawAdd(path, { deletionVector, stats }), rawRemove(path, old)];
  }
}

it("a snapshot is the same loaded, refreshed, through checkpoints and through compactions", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), fc.nat(5), async (steps, span) => {
      const store = new MemoryStore();
      const model = new Model();
      const expected: Map<string, DeletionVector | undefined>[] = [];
      const refreshed: Snapshot[] = [];
      let held: Snapshot | undefined;
      for (const [version, step] of steps.entries()) {
        await putCommit(store, version, model.actions(step, version));
        expected.push(new Map(model.live));
        if (held === undefined) held = await loadSnapshot(store, duckdb);
        else if (step.refresh) held = await refreshSnapshot(store, duckdb, held);
        if (held) refreshed.push(held);
        if (step.checkpoint === "none" || held?.version !== version) continue;
        await writeCheckpoint(store, duckdb, held, Date.now());
      }
      await compact(store, steps.length, span);
      for (const snapshot of refreshed) {
        const loaded = await loadSnapshot(store, duckdb, snapshot.version);
        expect(loaded).toEqual(snapshot);
        const live = [...(loaded?.files.values() ?? [])].map((f) => [f.path, f.deletionVector] as const);
        expect(new Map(live)).toEqual(expected[snapshot.version]);
        expect(snapshot.files.size).toBe(expected[snapshot.version]?.size);
      }
    }),
    { numRuns: 40 },
  );
});

/** Writes compactions of `span` commits more than one each. */
async function compact(store: MemoryStore, versions: number, span: number): Promise<void> {
  if (span === 0) return;
  for (let first = 1; first + span < versions; first += span + 1) {
    const before = await loadSnapshot(store, duckdb, first - 1);
    const after = await loadSnapshot(store, duckdb, first + span);
    if (before && after) {
      await store.put(compactionPath(first, first + span), serializeCommit(difference(before, after)));
    }
  }
}

/** The actions that lead from one state to another (PROTOCOL.md, "Log Compaction Files"). */
function difference(before: Snapshot, after: Snapshot): Action[] {
  const actions: Action[] = [{ protocol: after.protocol }, { metaData: after.metadata }];
  for (const [key, add] of after.files) if (before.files.get(key) !== add) actions.push({ add });
  for (const remove of after.tombstones.values()) actions.push({ remove });
  for (const txn of after.transactions.values()) actions.push({ txn });
  for (const domainMetadata of after.domains.values()) actions.push({ domainMetadata });
  for (const domain of before.domains.values()) {
    if (!after.domains.has(domain.domain)) actions.push({ domainMetadata: { ...domain, removed: true } });
  }
  return actions;
}
