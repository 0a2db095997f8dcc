/**
 * Rows of a model that break its contract, set aside. A row whose newest version breaks the contract is in quarantine
 * and not in the model's table; the two together are what the model's SQL makes of bronze, whichever way it was kept.
 * The quarantine is written first: where a run dies between the two, the next writes the same rows there again.
 */
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { mergeRows } from "../../../lakehouse/delta/change/merge.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import { identifier, identifiers, literal } from "../../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import { META } from "../../definition/bronze-columns.ts";
import { modelError } from "../contract.ts";
import type { Model } from "../planned-model.ts";
import type { ModelRun } from "../run.ts";
import { rowRules } from "./contract-rules.ts";
import { openQuarantine } from "./hold-source.ts";
import { UNCAST } from "./lenient.ts";
import { jsonObjectSql } from "./row-json.ts";

/** Relation of the session with the rows that were set aside, and the rules that each breaks. */
export const HELD = "held";
export const RULES = "_ingot_rules";
/** Where the pipeline does not say: of so many rows, this part must not break the contract. */
const [MANY_ROWS, USUAL_RATE] = [100, 0.5];

/** Where rows come from. */
interface Origin {
  /** Relation with the newest change of each key of bronze, with its meta columns. */
  readonly changes: string;
  /** Relation with the keys that this run is about; undefined where it is about all that there are. */
  readonly keys: string | undefined;
}

/**
 * Finds the rows of `rows` that are to be set aside: those that are left are in `kept`, a new table in the columns of the
 * contract. The quarantine is written when `write` is called. Rejects with `QUARANTINE_LIMIT` where they are too many.
 */
export async function holdLater(
  run: ModelRun,
  rows: string,
  kept: string,
  origin: Origin,
): Promise<Omit<Split, "kept">> {
  const { ok, held } = await findBroken(run, rows);
  if (held > 0) await refuseNullKeys(run);
  await run.session.run(`CREATE TABLE ${kept} AS SELECT * EXCLUDE (${UNCAST}) FROM ${rows} WHERE ${ok}`);
  return { held, write: () => writeHeld(run, origin, held) };
}

/** Rows that keep the contract, as a query, and those that do not. */
interface Split {
  readonly kept: string;
  readonly held: number;
  /** Writes the quarantine: once nothing stands in the way of the model's own commit. */
  readonly write: () => Promise<void>;
}

/** Splits the rows of `rows`, all that the model's query gives, with `UNCAST`. */
export async function splitRows(run: ModelRun, rows: string, changes: string): Promise<Split> {
  const { ok, held } = await findBroken(run, `(${rows})`);
  if (held > 0) await refuseNullKeys(run);
  return {
    kept: `SELECT * EXCLUDE (${UNCAST}) FROM (${rows}) WHERE ${ok}`,
    held,
    write: () => writeHeld(run, { changes, keys: undefined }, held),
  };
}

/** Nothing of all rows breaks the contract: what `changes` know of does not stay in quarantine. */
export async function clearQuarantine(run: ModelRun, changes: string): Promise<void> {
  const quarantine = await openQuarantine(run, 0, true);
  if (quarantine === undefined || (await quarantine.existingSnapshot()).files.size === 0) return;
  await deleteRows(quarantine, `lsn <= ${await lastLsn(run, changes)}`);
}

/**
 * Makes `HELD` of the rows that break the contract. `rows`: in its columns, and `UNCAST`; others are carried over. Rejects
 * with `QUARANTINE_LIMIT` where they are too many.
 */
export async function findBroken(run: ModelRun, rows: string) {
  const { session, model } = run;
  const rules = await modelError(model, () => rowRules(session, model, `SELECT * FROM ${rows}`));
  const ok = `(${rules.ok} AND NOT ${UNCAST})`;
  const broken = `list_concat(CASE WHEN ${UNCAST} THEN ['cast'] ELSE [] END, ${rules.broken})`;
  await modelError(model, () =>
    session.run(
      `CREATE OR REPLACE TABLE ${HELD} AS SELECT *, ${broken} AS ${RULES} FROM ${rows} WHERE NOT ${ok}`,
    ),
  );
  const held = await count(run, HELD);
  if (held > 0) checkLimit(run, held, await count(run, rows));
  return { ok, held };
}

/** A row whose key is not known has no place in quarantine either. */
async function refuseNullKeys(run: ModelRun): Promise<void> {
  const { model } = run;
  const missing = model.contract.key.map((name) => `${identifier(name)} IS NULL`).join(" OR ");
  const without = await count(run, `${HELD} WHERE ${missing}`);
  if (without > 0) throw withoutKey(model, without);
}

/** The error of a model that gives rows whose key is not known. */
export const withoutKey = (model: Model, without: number): TerminalError =>
  new TerminalError(`model ${model.name} gives ${without} rows without key`, {
    code: "MODEL_NO_KEY",
    value: model.file,
    allowed: `a value for ${model.contract.key.join(", ")} in each row`,
    next: `Take the key over as bronze has it in ${model.file}. Nothing was committed.`,
  });

async function count({ session }: ModelRun, relation: string): Promise<number> {
  const [counted] = await session.rows(`SELECT count(*) AS rows FROM ${relation}`);
  return Number(counted?.rows);
}

/**
 * Brings the quarantine to what this run found: of the keys that it is about, those that break the contract. What a
 * rival found of newer changes stays.
 */
async function writeHeld(run: ModelRun, { changes, keys }: Origin, held: number): Promise<void> {
  const { session, model } = run;
  const quarantine = await openQuarantine(run, held, keys === undefined);
  if (quarantine === undefined) return;
  const raw = await rawSql(run, changes);
  const { key } = model.contract;
  const using = `USING (${identifiers(key)})`;
  const found = `SELECT ${keyJson(key, "h")} AS key, ${raw} AS raw, h.${RULES} AS rules, c.${META.lsn} AS lsn,
      c.${META.sequence} AS seq, ${literal(model.rules.fingerprint)} AS contract, now() AS held_at
    FROM ${HELD} h JOIN ${changes} c ${using}`;
  if (keys === undefined) {
    const known = `target.lsn <= ${await lastLsn(run, changes)}`;
    await mergeRows(quarantine, {
      source: { sql: found, session },
      on: "target.key = source.key",
      matched: [{ when: `${NOT_OLDER} AND NOT (${SAME})`, update: "all" }],
      notMatched: [{ insert: "all" }],
      notMatchedBySource: [{ when: known, delete: true }],
    });
    return;
  }
  const sql = `SELECT k.key, k.lsn, k.seq, f.raw, f.rules, f.contract, f.held_at
    FROM (SELECT ${keyJson(key, "k")} AS key, c.${META.lsn} AS lsn, c.${META.sequence} AS seq FROM ${keys} k JOIN ${changes} c ${using}) k
    LEFT JOIN (${found}) f USING (key)`;
  await mergeRows(quarantine, {
    source: { sql, session },
    on: "target.key = source.key",
    matched: [
      { when: `${NOT_OLDER} AND source.raw IS NULL`, delete: true },
      { when: NOT_OLDER, update: "all" },
    ],
    notMatched: [{ when: "source.raw IS NOT NULL", insert: "all" }],
  });
}

const NOT_OLDER = "(source.lsn, source.seq) >= (target.lsn, target.seq)";
/** Rows that are held as they were are left alone, so that they keep the time at which they were set aside. */
export const SAME = ["lsn", "seq", "contract", "rules", "raw"]
  .map((name) => `target.${name} IS NOT DISTINCT FROM source.${name}`)
  .join(" AND ");

/** The greatest LSN of the changes that this run knows of; -1 where there are none. */
export async function lastLsn({ session, ...run }: ModelRun, changes: string): Promise<number> {
  const newest = async (rows: string) => {
    const [found] = await session.rows(`SELECT max(${META.lsn})::DOUBLE AS lsn FROM ${rows}`);
    return typeof found?.lsn === "number" ? found.lsn : undefined;
  };
  const known = await newest(changes);
  if (known !== undefined) return known;
  // Of what a truncation took no change is left: what is held is from before it all the same.
  const [reference = ""] = run.model.references;
  const [source, table] = [run.inputs.get(reference), run.tables.get(reference)];
  if (source === undefined || table === undefined) return -1;
  return (await newest(`(${await scanSql(table.store, scannable(source))})`)) ?? -1;
}

/** JSON of a row's key, its values as texts. */
function keyJson(key: readonly string[], alias: string): string {
  return jsonObjectSql(key.map((name) => [name, `${alias}.${identifier(name)}::VARCHAR`]));
}

/** JSON of a row of bronze, without what Ingot added to it. */
async function rawSql({ session }: ModelRun, changes: string): Promise<string> {
  const meta = new Set<string>(Object.values(META));
  const columns = (await session.describe(`SELECT * FROM ${changes}`)).filter(({ name }) => !meta.has(name));
  return jsonObjectSql(columns.map(({ name }) => [name, `c.${identifier(name)}::VARCHAR`]));
}

/** Refuses to go on where so much breaks that something else is wrong. */
function checkLimit({ model }: ModelRun, held: number, rows: number): void {
  const usual = rows < MANY_ROWS ? undefined : USUAL_RATE;
  const { stopAtRate = usual, stopAtRows = Number.POSITIVE_INFINITY } = model.quarantine ?? {};
  const tooOften = stopAtRate !== undefined && held > 0 && held >= stopAtRate * rows;
  if (held < stopAtRows && !tooOften) return;
  throw new TerminalError(`too many rows of ${model.name} break its contract`, {
    code: "QUARANTINE_LIMIT",
    value: `${held} of ${rows} rows`,
    allowed: `fewer than ${held >= stopAtRows ? `${stopAtRows} rows` : `${(stopAtRate ?? 1) * 100} % of a run`}`,
    next: `Nothing was committed. Correct ${model.file}, the contract "${model.contract.name}" or the source, or raise the limit in the pipeline.`,
  });
}
