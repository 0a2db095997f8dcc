/** Models of groups by key. A change of the inputs touches some groups: these are computed again from the inputs. */
import { duckdbType, type StructField } from "../../../lakehouse/delta/schema.ts";
import { identifier, identifiers } from "../../../lakehouse/duckdb/quote.ts";
import { codeOf } from "../../../lakehouse/errors.ts";
import { commitNothing } from "../commit-model.ts";
import { checkColumns, contractSchema, modelError, rowsOfModel } from "../contract.ts";
import { remake } from "../full.ts";
import { viewInputs } from "../inputs.ts";
import { refuseRepeatedKeys } from "../keys.ts";
import { refuseBroken } from "../refuse-broken.ts";
import { replaceByKey } from "../replace-by-key.ts";
import type { ModelResult, ModelRun } from "../run.ts";
import { type ChangedInputs, readChanges } from "./changed-inputs.ts";
import { inputFilters } from "./input-filters.ts";
import { Columns, leavesOf } from "./join-tree.ts";
import { type KeyValues, keyValues, resultFilter } from "./key-filter.ts";
import { hiddenInput } from "./plan.ts";
import { touchedInputs } from "./touched-inputs.ts";
import { touchedSql } from "./touched-sql.ts";

/** Keys that the change touches, in the types of the contract. */
const TOUCHED = "touched";

/** Brings the groups that the change of the inputs touches up to date; all of them where the change is not known. */
export async function runAggregate(run: ModelRun): Promise<ModelResult> {
  const { model, session, base } = run;
  let why = "which groups are touched could not be found";
  const changes =
    base === undefined
      ? undefined
      : await readChanges(run, (reason) => {
          why = reason;
        });
  if (base !== undefined && changes?.rows === 0) return commitNothing(run, base);
  await viewInputs(run);
  await checkColumns(run);
  if (base === undefined || changes === undefined || !(await findTouched(run, changes)))
    return remake(run, model.sql, why);
  const values = await keyValues(session, TOUCHED, keyFields(run));
  const exact = await filterInputs(run, values);
  const isTouched = resultFilter(TOUCHED, values, exact);
  await rowsOfModel(run, `SELECT * FROM (${model.sql}\n) WHERE ${isTouched}`, "result");
  await refuseBroken(run, "result");
  await refuseRepeatedKeys(run, "result");
  const key = identifiers(model.contract.key);
  const found = model.contract.key.map((name) => `${identifier(name)} IS NOT NULL`).join(" AND ");
  // The filter may let whole groups pass that are not touched; they are as they were.
  await session.run(
    `CREATE TABLE keys AS SELECT ${key} FROM ${TOUCHED} WHERE ${found} UNION SELECT ${key} FROM result`,
  );
  return replaceByKey(run, base, { keys: "keys", rows: "result", rowsIn: changes.rows });
}

/** Leaves of the inputs what the touched groups are made of; gives the columns of the key that this decides. */
async function filterInputs(run: ModelRun, values: readonly KeyValues[]): Promise<ReadonlySet<string>> {
  const { groups } = run.model;
  if (groups === undefined) return new Set();
  const columns = columnsOf(run);
  const known = await inputFilters(run, groups, columns, values);
  const { conditions, exact } = touchedInputs(run, groups, columns, TOUCHED, values, known);
  if (conditions.size > 0) await viewInputs(run, conditions);
  return exact;
}

const keyFields = ({ model }: ModelRun): StructField[] =>
  contractSchema(model.contract).fields.filter((f) => model.contract.key.includes(f.name));

function columnsOf({ model, inputs }: ModelRun): Columns {
  const names = [...inputs].map(([name, input]) => [name, input.schema.fields.map((f) => f.name)] as const);
  const leaves = model.groups === undefined ? [] : leavesOf(model.groups.tree);
  return new Columns(leaves, new Map(names));
}

/** Makes the table of touched keys. False where they could not be found. */
async function findTouched(run: ModelRun, changes: ChangedInputs): Promise<boolean> {
  const { model, session, target } = run;
  const fields = keyFields(run);
  const columns = fields
    .map((f) => `TRY_CAST(${identifier(f.name)} AS ${duckdbType(f.type)}) AS ${identifier(f.name)}`)
    .join(", ");
  const parts: string[] = [];
  const shown = new Map(changes.sides);
  for (const [reference, sql] of Object.entries(model.touches ?? {})) {
    if (!shown.delete(reference)) continue;
    // `changed` means another input in each.
    const relation = `touched_by_${parts.length}`;
    await session.run(`CREATE OR REPLACE VIEW changed AS ${changes.imagesSql(reference)}`);
    await modelError(model, () =>
      session.run(`CREATE TABLE ${relation} AS SELECT DISTINCT ${columns} FROM (${sql}\n)`),
    );
    parts.push(`SELECT * FROM ${relation}`);
  }
  if (shown.size > 0 && model.groups !== undefined) {
    const found = await touchedSql(target.duckdb, model.groups, columnsOf(run), fields, shown);
    if ("unknown" in found) throw hiddenInput(model, found.unknown);
    parts.push(...found);
  }
  try {
    await session.run(`CREATE TABLE ${TOUCHED} AS ${parts.join(" UNION ")}`);
  } catch (error) {
    // Conditions that keep an expression from failing may stand where rows that came or went do not meet them, and
    // former versions may be gone. What is made anew needs neither.
    if (codeOf(error) === "DUCKDB_SQL") return false;
    throw error;
  }
  if (model.reach !== undefined) {
    const { reach } = model;
    await modelError(model, () =>
      session.run(
        `INSERT INTO ${TOUCHED} SELECT DISTINCT ${columns} FROM (${reach}\n) EXCEPT FROM ${TOUCHED}`,
      ),
    );
  }
  return true;
}
