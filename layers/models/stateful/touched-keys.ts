/** What a change of the input means for the rows that stand: where to step on, and which keys to make anew. */
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import { typedSql } from "../../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { identifier, identifiers } from "../../../lakehouse/duckdb/quote.ts";
import { codeOf } from "../../../lakehouse/errors.ts";
import { checkColumns } from "../contract.ts";
import { viewInputs } from "../inputs.ts";
import { IS_NEW, readChange } from "../read-change.ts";
import type { ModelRun } from "../run.ts";
import type { Stepper } from "./stepper.ts";

/** What an increment steps through, and which rows it replaces; queries. */
export interface Touched {
  /** Rows to hand to the step, in the columns of the input. */
  readonly rows: string;
  /** Newest rows of the keys that are stepped on. */
  readonly last: string;
  /** Keys of rows that stand and are not gone through again, of touched keys. */
  readonly standing: string;
  /** Keys of the rows that were made of keys that are made anew. */
  readonly former: string;
  readonly rowsIn: number;
}

/** Rows of the SQL that came and went, keys that are touched, and what the table has for them. */
const [CAME, GONE, TOUCHED, KNOWN, NEWEST, ANEW] = ["came", "gone", "touched", "known", "newest", "anew"];

/**
 * Finds what a change touches. `nothing` where the model's rows did not change; undefined where all is to be made anew:
 * the change is not known, or rows that came and went again were none for the model's SQL.
 */
export async function findTouched(
  run: ModelRun,
  base: Snapshot,
  stepper: Stepper,
): Promise<Touched | "nothing" | undefined> {
  const { session, model, target } = run;
  const { by, order, inputFields } = stepper;
  const rowsIn = await readRows(run, stepper);
  if (rowsIn === undefined) return undefined;
  const names = identifiers(by);
  await session.run(
    `CREATE TABLE ${TOUCHED} AS SELECT DISTINCT ${names} FROM (SELECT ${names} FROM ${CAME} UNION ALL SELECT ${names} FROM ${GONE})`,
  );
  const [counted] = await session.rows(`SELECT count(*) AS keys FROM ${TOUCHED}`);
  if (Number(counted?.keys) === 0) return "nothing";
  const using = `USING (${names})`;
  const table = await scanSql(target.store, scannable(base));
  const key = identifiers(model.contract.key);
  const place = (alias: string) => `(${order.map((name) => `${alias}.${identifier(name)}`).join(", ")})`;
  const newestFirst = order.map((name) => `${identifier(name)} DESC`).join(", ");
  // Of rows that share the newest place the table does not tell which one was made last.
  await session.run(
    `CREATE TABLE ${NEWEST} AS SELECT * FROM (${table}) SEMI JOIN ${TOUCHED} ${using}
       QUALIFY rank() OVER (PARTITION BY ${names} ORDER BY ${newestFirst}) = 1;
     CREATE TABLE ${KNOWN} AS SELECT ${key} FROM (${table}) SEMI JOIN ${TOUCHED} ${using};
     CREATE TABLE ${ANEW} AS SELECT ${names} FROM ${GONE} UNION
       SELECT ${by.map((name) => `c.${identifier(name)}`).join(", ")} FROM ${CAME} AS c
         JOIN ${NEWEST} AS n ${using} WHERE ${place("c")} <= ${place("n")} UNION
       SELECT ${names} FROM ${NEWEST} GROUP BY ALL HAVING count(*) > 1`,
  );
  const rows = [`SELECT * FROM ${CAME} ANTI JOIN ${ANEW} ${using}`];
  const [anew] = await session.rows(`SELECT count(*) AS keys FROM ${ANEW}`);
  if (Number(anew?.keys) > 0) {
    await viewInputs(run);
    rows.push(`SELECT * FROM (${typedSql(model.sql, inputFields)}) SEMI JOIN ${ANEW} ${using}`);
  }
  return {
    rows: rows.join(" UNION ALL "),
    last: `SELECT * FROM ${NEWEST} ANTI JOIN ${ANEW} ${using}`,
    standing: `SELECT * FROM ${KNOWN} ANTI JOIN ${ANEW} ${using} ANTI JOIN ${NEWEST} USING (${key})`,
    former: `SELECT * FROM ${KNOWN} SEMI JOIN ${ANEW} ${using}`,
    rowsIn,
  };
}

/** Makes `CAME` and `GONE`. Answers how many rows changed; undefined where that is not known. */
async function readRows(run: ModelRun, stepper: Stepper): Promise<number | undefined> {
  const { session, model, inputs, tables, consumed } = run;
  const [reference = ""] = model.references;
  const [input, table, version] = [inputs.get(reference), tables.get(reference), consumed?.get(reference)];
  if (input === undefined || table === undefined || version === undefined) return undefined;
  const change = await readChange(session, table, version, input, "changed");
  if (change === undefined) return undefined;
  const [layer = "", name = ""] = reference.split(".");
  const columns = identifiers(input.schema.fields.map((f) => f.name));
  const sql = typedSql(model.sql, stepper.inputFields);
  for (const [relation, where] of [
    [CAME_IMAGES, IS_NEW],
    [GONE_IMAGES, `NOT ${IS_NEW}`],
  ] as const) {
    await session.view(layer, name, `SELECT ${columns} FROM main.changed WHERE ${where}`);
    await checkColumns(run);
    try {
      await session.run(`CREATE TABLE ${relation} AS ${sql}`);
    } catch (error) {
      // A row that came and went again may hold what no cast takes; what is made anew does not see it.
      if (codeOf(error) === "DUCKDB_SQL") return undefined;
      throw error;
    }
  }
  // What came and went again, and what changed in columns that the SQL does not read, is no change.
  await session.run(
    `CREATE TABLE ${CAME} AS FROM ${CAME_IMAGES} EXCEPT ALL FROM ${GONE_IMAGES};
     CREATE TABLE ${GONE} AS FROM ${GONE_IMAGES} EXCEPT ALL FROM ${CAME_IMAGES}`,
  );
  return change.rows;
}

const [CAME_IMAGES, GONE_IMAGES] = ["came_images", "gone_images"];
