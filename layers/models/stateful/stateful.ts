/**
 * Models whose rows a TypeScript function makes, key by key and in order, of a row and of what it made before. The newest
 * row of a key is all that a run goes on from: its columns of the order tell how far the table has come.
 */

import { typedSql } from "../../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { identifiers } from "../../../lakehouse/duckdb/quote.ts";
import { commitNothing } from "../commit-model.ts";
import { checkColumns, contractSchema } from "../contract.ts";
import { remake } from "../full.ts";
import { viewInputs } from "../inputs.ts";
import { refuseRepeatedKeys } from "../keys.ts";
import type { Kind } from "../kind.ts";
import { refuseBroken } from "../refuse-broken.ts";
import { replaceByKey } from "../replace-by-key.ts";
import type { ModelResult, ModelRun } from "../run.ts";
import { Spool } from "./spool.ts";
import { planSteps, type Stepper, stepperOf } from "./stepper.ts";
import { runSteps } from "./steps.ts";
import { findTouched, type Touched } from "./touched-keys.ts";

export const statefulKind: Kind = { plan: planSteps, run: runStateful };

async function runStateful(run: ModelRun): Promise<ModelResult> {
  const stepper = stepperOf(run.model);
  const spool = await Spool.open();
  try {
    const { base } = run;
    const touched = base && (await findTouched(run, base, stepper));
    if (base === undefined || touched === undefined) return await rebuild(run, stepper, spool);
    if (touched === "nothing") return await commitNothing(run, base);
    return await increment(run, base, { stepper, spool, touched });
  } finally {
    await spool.close();
  }
}

async function rebuild(run: ModelRun, stepper: Stepper, spool: Spool): Promise<ModelResult> {
  const { model, session } = run;
  await viewInputs(run);
  await checkColumns(run);
  const rows = typedSql(model.sql, stepper.inputFields);
  await runSteps(session, stepper, { rows, last: undefined }, spool);
  const made = await spool.sql(contractSchema(model.contract).fields);
  return remake(run, made, "how its input changed is not known");
}

interface Increment {
  readonly stepper: Stepper;
  readonly spool: Spool;
  readonly touched: Touched;
}

/** Steps on from the newest rows of the touched keys, and makes those anew whose rows did not all come after them. */
async function increment(
  run: ModelRun,
  base: Snapshot,
  { stepper, spool, touched }: Increment,
): Promise<ModelResult> {
  const { model, session } = run;
  await runSteps(session, stepper, touched, spool);
  const made = await spool.sql(contractSchema(model.contract).fields);
  await session.run(`CREATE TABLE result AS ${made}`);
  await refuseBroken(run, "result");
  const key = identifiers(model.contract.key);
  // A row of a key that stands since long is not overwritten: a rebuild would give that key twice.
  await refuseRepeatedKeys(run, `(SELECT ${key} FROM result UNION ALL ${touched.standing})`);
  await session.run(`CREATE TABLE keys AS SELECT ${key} FROM result UNION ${touched.former}`);
  return replaceByKey(run, base, { keys: "keys", rows: "result", rowsIn: touched.rowsIn });
}
