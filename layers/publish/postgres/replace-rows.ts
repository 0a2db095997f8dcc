/** Replacing the rows of a published table inside of one transaction: only those that differ are written. */
import { hash } from "node:crypto";
import type pg from "pg";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import type { Publication, PublishedColumn, RowBatch } from "../target.ts";
import { columnList, postgresType } from "./columns.ts";

/** Rows of one INSERT. */
const STEP = 500;
const STAGED = "_ingot_staged";
const OWN = `_ingot_id text COLLATE "C" PRIMARY KEY, _ingot_digest text`;

export interface PublishedTable {
  /** Quoted, with its schema. */
  readonly name: string;
  /** What undoes the newest version: rows as they were, and without digest the keys of those that were not there. */
  readonly undo: string;
}

/** Makes the table, or gives it these columns; gives whether it had them, so that what it holds can be kept. */
export async function prepareTable(
  client: pg.Client,
  { name, undo }: PublishedTable,
  columns: readonly PublishedColumn[],
  former: readonly PublishedColumn[] | undefined,
): Promise<boolean> {
  if (!(await tableExists(client, name))) {
    await client.query(`DROP TABLE IF EXISTS ${undo}; CREATE TABLE ${name} (${OWN}, ${columnList(columns)})`);
    return false;
  }
  if (columnList(columns) === columnList(former ?? [])) return true;
  await client.query(`DROP TABLE IF EXISTS ${undo}; DELETE FROM ${name}`);
  // Altered, not made anew: what others were granted on it stays.
  const has = (list: readonly PublishedColumn[], { name: column, type }: PublishedColumn) =>
    list.some((other) => other.name === column && postgresType(other.type) === postgresType(type));
  const changes = [
    ...(former ?? [])
      .filter((column) => !has(columns, column))
      .map((c) => `DROP COLUMN ${identifier(c.name)}`),
    ...columns
      .filter((column) => !has(former ?? [], column))
      .map((column) => `ADD COLUMN ${columnList([column])}`),
  ];
  if (changes.length > 0) await client.query(`ALTER TABLE ${name} ${changes.join(", ")}`);
  return false;
}

/** Puts the publication's rows in place of those of the table; gives how many there are and how many differ. */
export async function replaceRows(
  client: pg.Client,
  { name, undo }: PublishedTable,
  publication: Publication,
): Promise<{ readonly rows: number; readonly written: number }> {
  const { columns } = publication;
  await client.query(`CREATE TEMP TABLE ${STAGED} (${OWN}, ${columnList(columns)}) ON COMMIT DROP`);
  const names = ["_ingot_id", "_ingot_digest", ...columns.map((column) => identifier(column.name))].join(
    ", ",
  );
  let rows = 0;
  for await (const batch of publication.rows()) {
    for (let start = 0; start < batch.json.length; start += STEP) {
      await stageRows(client, names, columns, publication, batch, start, rows);
      rows += Math.min(STEP, batch.json.length - start);
    }
  }
  await client.query(`DROP TABLE IF EXISTS ${undo}`);
  await client.query(
    `CREATE TABLE ${undo} AS SELECT ${names} FROM ${name} AS t
      WHERE NOT EXISTS (SELECT 1 FROM ${STAGED} AS s
                         WHERE s._ingot_id = t._ingot_id AND s._ingot_digest = t._ingot_digest)`,
  );
  await client.query(
    `INSERT INTO ${undo} (_ingot_id) SELECT _ingot_id FROM ${STAGED} AS s
      WHERE NOT EXISTS (SELECT 1 FROM ${name} AS t WHERE t._ingot_id = s._ingot_id)`,
  );
  await client.query(`DELETE FROM ${name} AS t USING ${undo} AS u WHERE t._ingot_id = u._ingot_id`);
  const { rowCount } = await client.query(
    `INSERT INTO ${name} (${names}) SELECT ${names} FROM ${STAGED} AS s
      WHERE EXISTS (SELECT 1 FROM ${undo} AS u WHERE u._ingot_id = s._ingot_id)`,
  );
  return { rows, written: rowCount ?? 0 };
}

/** Puts back what the newest version has replaced; false where nobody knows what that was. */
export async function undoRows(client: pg.Client, { name, undo }: PublishedTable): Promise<boolean> {
  if (!(await tableExists(client, undo)) || !(await tableExists(client, name))) return false;
  const { fields } = await client.query(`SELECT * FROM ${undo} LIMIT 0`);
  const names = fields.map((field) => identifier(field.name)).join(", ");
  await client.query(`DELETE FROM ${name} AS t USING ${undo} AS u WHERE t._ingot_id = u._ingot_id`);
  await client.query(
    `INSERT INTO ${name} (${names}) SELECT ${names} FROM ${undo} WHERE _ingot_digest IS NOT NULL`,
  );
  await client.query(`DROP TABLE ${undo}`);
  return true;
}

async function stageRows(
  client: pg.Client,
  names: string,
  columns: readonly PublishedColumn[],
  { form }: Publication,
  { json, ids }: RowBatch,
  start: number,
  before: number,
): Promise<void> {
  const part = json.slice(start, start + STEP);
  // Rows without key are told apart by their place, which is also their order.
  const keys = part.map((_, i) =>
    form.kind === "lookup" ? ids[start + i] : String(before + i).padStart(12, "0"),
  );
  const digests = part.map((row) => hash("sha256", row, "base64url").slice(0, 22));
  await client.query(
    `INSERT INTO ${STAGED} (${names})
     SELECT x.id, x.digest, r.* FROM unnest($1::text[], $2::text[], $3::text[]) AS x(id, digest, json),
       LATERAL jsonb_to_record(x.json::jsonb) AS r(${columnList(columns)})`,
    [keys, digests, part],
  );
}

/** `name` is quoted. */
export async function tableExists(client: pg.Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>("SELECT to_regclass($1) IS NOT NULL AS found", [
    name,
  ]);
  return rows[0]?.found === true;
}
