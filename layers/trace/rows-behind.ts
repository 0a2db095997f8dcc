/** The rows of an input that rows of a model were made of, as far as the model's kind and its SQL tell them. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { duckdbType } from "../../lakehouse/delta/schema.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { codeOf } from "../../lakehouse/errors.ts";
import { isDirect } from "../lineage/origin.ts";
import type { ModelLineage } from "../lineage/pipeline-lineage.ts";
import { contractSchema } from "../models/contract.ts";
import type { ModelRun } from "../models/run.ts";
import { FILE_PATH } from "./bronze-origin.ts";
import { groupRows } from "./group-rows.ts";
import type { FoundBy } from "./traced.ts";

export interface FoundRows {
  /** Table of the session with the rows; undefined where nothing tells them. */
  readonly relation: string | undefined;
  readonly foundBy: FoundBy;
  readonly by: readonly string[];
}

export const NOTHING: FoundRows = { relation: undefined, foundBy: "table", by: [] };

/** The rows of each input behind those in `rows`, in tables of the session whose names begin with `prefix`. */
export async function rowsBehind(
  run: ModelRun,
  rows: string,
  lineage: ModelLineage | undefined,
  prefix: string,
): Promise<ReadonlyMap<string, FoundRows>> {
  const { model, inputs } = run;
  const groups = await groupRows(run, rows, prefix).catch((error: unknown) => {
    // Names of the select list may stand where the joined rows alone do not have them.
    if (codeOf(error) === "DUCKDB_SQL") return undefined;
    throw error;
  });
  const found = new Map<string, FoundRows>();
  for (const reference of inputs.keys()) {
    const relation = groups?.get(reference);
    const by =
      relation === undefined
        ? await byColumns(run, reference, rows, lineage, `${prefix}_by_${found.size}`)
        : ({ relation, foundBy: "groups", by: [...model.contract.key] } satisfies FoundRows);
    found.set(reference, by);
  }
  return found;
}

async function byColumns(
  run: ModelRun,
  reference: string,
  rows: string,
  lineage: ModelLineage | undefined,
  into: string,
): Promise<FoundRows> {
  const isMerge = run.model.kind === "merge";
  const pairs = isMerge ? sameNames(run) : pairsOf(run, reference, lineage);
  if (pairs.length === 0) return NOTHING;
  await matching(run, reference, rows, pairs, into);
  const by = pairs.map(({ own, input }) => (own === input ? own : `${own} = ${input}`));
  return { relation: into, foundBy: isMerge ? "key" : "lineage", by };
}

/** A column of the model and the one of the input whose value it has. */
interface Pair {
  readonly own: string;
  readonly input: string;
}

/** A merge model has the key of its bronze table. */
const sameNames = ({ model }: ModelRun): Pair[] =>
  model.contract.key.map((name) => ({ own: name, input: name }));

/**
 * Columns of the key that are taken over from the input as they are; and those that are made of a column of the same
 * name and type, as a day is of the days that there are.
 */
function pairsOf({ model, inputs }: ModelRun, reference: string, lineage: ModelLineage | undefined): Pair[] {
  const own = new Map(contractSchema(model.contract).fields.map((f) => [f.name, duckdbType(f.type)]));
  const columns = new Map(inputs.get(reference)?.schema.fields.map((f) => [f.name, duckdbType(f.type)]));
  const key = model.contract.key.length > 0 ? model.contract.key : [...own.keys()];
  return key.flatMap((name) => {
    const origins = (lineage?.columns.get(name) ?? []).filter(
      (o) => o.table === reference && isDirect(o.how),
    );
    const same = origins.find(({ how }) => how === "identity");
    const alike = origins.find(({ column }) => column === name && columns.get(column) === own.get(name));
    const column = (same ?? alike)?.column;
    return column === undefined || !columns.has(column) ? [] : [{ own: name, input: column }];
  });
}

async function matching(
  { session, inputs, tables, model }: ModelRun,
  reference: string,
  rows: string,
  pairs: readonly Pair[],
  into: string,
): Promise<void> {
  const [input, table] = [inputs.get(reference), tables.get(reference)];
  if (input === undefined || table === undefined) throw new RangeError(`${reference} is not there`);
  const types = new Map(contractSchema(model.contract).fields.map((f) => [f.name, duckdbType(f.type)]));
  const same = pairs.map(
    ({ own, input: column }) =>
      `m.${identifier(own)} IS NOT DISTINCT FROM TRY_CAST(i.${identifier(column)} AS ${types.get(own) ?? "VARCHAR"})`,
  );
  const scan = await scanSql(table.store, scannable(input), { filePath: FILE_PATH });
  await session.run(
    `CREATE TABLE ${into} AS SELECT i.* FROM (${scan}) AS i
      WHERE EXISTS (SELECT 1 FROM ${rows} AS m WHERE ${same.join(" AND ")})`,
  );
}
