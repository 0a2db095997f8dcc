/** The kinds of models. */
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { runAggregate } from "./aggregate/aggregate.ts";
import { planGroups } from "./aggregate/plan.ts";
import { runAppend } from "./append.ts";
import { runFull } from "./full.ts";
import type { Kinds } from "./kind.ts";
import { runMerge } from "./merge.ts";
import type { Model } from "./planned-model.ts";
import { checkRowwise } from "./row-query.ts";
import { scd2Kind } from "./scd2/scd2.ts";
import { snapshotKind } from "./snapshot/snapshot.ts";
import { statefulKind } from "./stateful/stateful.ts";

/** Models of the rows of one bronze table: those that break the contract have a quarantine, of which silver's tables have one each. */
async function planRows(duckdb: DuckDb, model: Model): Promise<Model> {
  if (model.layer === "silver") {
    await checkRowwise(duckdb, model);
    return model;
  }
  const isMerge = model.kind === "merge";
  throw new TerminalError(
    `model ${model.name} cannot be kept as ${isMerge ? "current state" : "appended rows"} outside of silver`,
    {
      code: isMerge ? "MODEL_MERGE" : "MODEL_APPEND",
      value: model.file,
      allowed: "append and merge in silver; aggregate, full and stateful in gold",
      next: "Move it to silver.",
    },
  );
}

export const KINDS: Kinds = {
  append: { plan: planRows, run: runAppend, hasQuarantine: true },
  merge: { plan: planRows, run: runMerge, hasQuarantine: true },
  aggregate: {
    plan: async (duckdb, model) => ({ ...model, groups: await planGroups(duckdb, model) }),
    run: runAggregate,
  },
  full: { plan: async (_, model) => model, run: runFull },
  scd2: scd2Kind,
  snapshot: snapshotKind,
  stateful: statefulKind,
};
