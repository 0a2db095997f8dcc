/**
 * Rows of a model that break its contract, set aside. A row whose newest version breaks the contract is in quarantine
 * and not in the model's table; the two together are what the model's SQL makes of bronze, whichever way it was kept.
 * The quarantine is written first: where a run dies between the two, the next writes the same rows there again.
 */
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { mergeRows } from "../../../lakehouse/delta/change/merge.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { identifier, identifiers, literal } from "../../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import { META } from "../../definition/bronze-columns.ts";
import type { ModelRun } from "../run.ts";
import { rowRules } from "./contract-rules.ts";
import { lenientSql, UNCAST } from "./lenient.ts";
import { ensureQuarantine, QUARANTINE } from "./quarantine-table.ts";

/** Relation of the session with the rows that were set aside, and the rules that each breaks. */
const HELD = "held";
const RULES = "_ingot_rules";
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
 * Sets rows of `rows` aside: those that are left are in `kept`, a new table in the columns of the contract. Answers how
 * many went; rejects with `QUARANTINE_LIMIT` where they are too many.
 */
export async function holdBroken(run: ModelRun, rows: string, kept: string, origin: Origin): Promise<number> {
  const { session } = run;
  const { ok, held } = await findBroken(run, rows, origin);
  await session.run(`CREATE TABLE ${kept} AS SELECT * EXCLUDE (${UNCAST}) FROM ${rows} WHERE ${ok}`);
  return held;
}

/** As `holdBroken`, of all rows that the model's query gives: those that are left come as a query. */
export async function splitRows(
  run: ModelRun,
  changes: string,
): Promise<{ readonly kept: string; readonly held: number }> {
  const rows = await lenientSql(run.target.duckdb, run.model);
  const { ok, held } = await findBroken(run, `(${rows})`, { changes, keys: undefined });
  return { kept: `SELECT * EXCLUDE (${UNCAST}) FROM (${rows}) WHERE ${ok}`, held };
}

/** Nothing of all rows breaks the contract: nothing stays in quarantine. */
export async function clearQuarantine({ quarantine }: ModelRun): Promise<void> {
  const there = await quarantine?.snapshot();
  if (quarantine !== undefined && there !== undefined && there.files.size > 0) await deleteRows(quarantine);
}

/** Brings the quarantine to what breaks the contract. `rows`: in its columns, and `UNCAST`. */
async function findBroken(run: ModelRun, rows: string, origin: Origin) {
  const { session, model } = run;
  const rules = await rowRules(session, model, `SELECT * FROM ${rows}`);
  const ok = `(${rules.ok} AND NOT ${UNCAST})`;
  const broken = `list_concat(CASE WHEN ${UNCAST} THEN ['cast'] ELSE [] END, ${rules.broken})`;
  await session.run(
    `CREATE OR REPLACE TABLE ${HELD} AS SELECT *, ${broken} AS ${RULES} FROM ${rows} WHERE NOT ${ok}`,
  );
  const held = await count(run, HELD);
  await refuseNullKeys(run);
  checkLimit(run, held, await count(run, rows));
  await writeHeld(run, origin, held);
  return { ok, held };
}

/** A row whose key is not known has no place in quarantine either. */
async function refuseNullKeys(run: ModelRun): Promise<void> {
  const { model } = run;
  const missing = model.contract.key.map((name) => `${identifier(name)} IS NULL`).join(" OR ");
  const without = await count(run, `${HELD} WHERE ${missing}`);
  if (without === 0) return;
  throw new TerminalError(`model ${model.name} gives ${without} rows without key`, {
    code: "MODEL_NO_KEY",
    value: model.file,
    allowed: `a value for ${model.contract.key.join(", ")} in each row`,
    next: `Take the key over as bronze has it in ${model.file}. Nothing was committed.`,
  });
}

async function count({ session }: ModelRun, relation: string): Promise<number> {
  const [counted] = await session.rows(`SELECT count(*) AS rows FROM ${relation}`);
  return Number(counted?.rows);
}

/** Brings the quarantine to what this run found: of the keys that it is about, those that break the contract. */
async function writeHeld(run: ModelRun, { changes, keys }: Origin, held: number): Promise<void> {
  const { session, model, quarantine } = run;
  if (quarantine === undefined) return;
  if ((await quarantine.snapshot()) === undefined) {
    if (held === 0) return;
    await ensureQuarantine(quarantine, model.name);
  }
  const raw = await rawSql(run, changes);
  const { key } = model.contract;
  const found = `SELECT ${keyJson(key, "h")} AS key, ${raw} AS raw, h.${RULES} AS rules, c.${META.lsn} AS lsn,
      c.${META.sequence} AS seq, ${literal(model.rules.fingerprint)} AS contract, now() AS held_at
    FROM ${HELD} h JOIN ${changes} c USING (${identifiers(key)})`;
  if (keys === undefined) await replaceAll(quarantine, { sql: found, session });
  else {
    const columns = identifiers(QUARANTINE.fields.map((f) => f.name).filter((name) => name !== "key"));
    const sql = `SELECT k.key, ${columns} FROM (SELECT ${keyJson(key, "k")} AS key FROM ${keys} k) k LEFT JOIN (${found}) USING (key)`;
    await mergeRows(quarantine, {
      source: { sql, session },
      on: "target.key = source.key",
      matched: [{ when: "source.raw IS NULL", delete: true }, { update: "all" }],
      notMatched: [{ when: "source.raw IS NOT NULL", insert: "all" }],
    });
  }
}

/** Rows that are held as they were are left alone, so that they keep the time at which they were set aside. */
async function replaceAll(
  table: DeltaTable,
  source: { sql: string; session: ModelRun["session"] },
): Promise<void> {
  const same = "target.lsn = source.lsn AND target.seq = source.seq AND target.contract = source.contract";
  await mergeRows(table, {
    source,
    on: "target.key = source.key",
    matched: [{ when: `NOT (${same})`, update: "all" }],
    notMatched: [{ insert: "all" }],
    notMatchedBySource: [{ delete: true }],
  });
}

/** JSON of a row's key, its values as texts. */
function keyJson(key: readonly string[], alias: string): string {
  const members = key.map((name) => `${literal(name)}, ${alias}.${identifier(name)}::VARCHAR`);
  return `json_object(${members.join(", ")})::VARCHAR`;
}

/** JSON of a row of bronze, without what Ingot added to it. */
async function rawSql({ session }: ModelRun, changes: string): Promise<string> {
  const meta = new Set<string>(Object.values(META));
  const columns = (await session.describe(`SELECT * FROM ${changes}`)).filter(({ name }) => !meta.has(name));
  const members = columns.map(({ name }) => `${literal(name)}, c.${identifier(name)}::VARCHAR`);
  return `json_object(${members.join(", ")})::VARCHAR`;
}

/** Refuses to go on where so much breaks that something else is wrong. */
function checkLimit({ model }: ModelRun, held: number, rows: number): void {
  const usual = rows < MANY_ROWS ? undefined : USUAL_RATE;
  const { stopAtRate = usual, stopAtRows = Number.POSITIVE_INFINITY } = model.quarantine;
  const tooOften = stopAtRate !== undefined && held > 0 && held >= stopAtRate * rows;
  if (held < stopAtRows && !tooOften) return;
  throw new TerminalError(`too many rows of ${model.name} break its contract`, {
    code: "QUARANTINE_LIMIT",
    value: `${held} of ${rows} rows`,
    allowed: `fewer than ${held >= stopAtRows ? `${stopAtRows} rows` : `${(stopAtRate ?? 1) * 100} % of a run`}`,
    next: `Nothing was committed. Correct ${model.file}, the contract "${model.contract.name}" or the source, or raise the limit in the pipeline.`,
  });
}
