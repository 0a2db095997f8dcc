/** Instants are the same whatever the time zone of the session that writes, merges or reads them. */
import { describe, expect, it } from "vitest";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { mergeRows } from "../../../lakehouse/delta/change/merge.ts";
import { overwriteRows } from "../../../lakehouse/delta/change/overwrite.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { tablesIn } from "../change/setup.ts";

const duckdb = await useDuckDb();
const tableOf = tablesIn(useFolder(), duckdb);

const COLUMNS = { ts: "timestamp", x: "integer", seen: "timestamp" };
/** In UTC. The second and third are one hour of New York's clocks, twice; none lies on the same day everywhere. */
const INSTANTS = [
  "1969-12-31T23:59:59.999999Z",
  "2020-11-01T05:30:00.000000Z",
  "2020-11-01T06:30:00.000000Z",
  "2024-02-29T00:00:00.000001Z",
];

const rowsSql = INSTANTS.map(
  (at, x) => `SELECT TIMESTAMPTZ '${at}' AS ts, ${x} AS x, TIMESTAMPTZ '${at}' AS seen`,
).join(" UNION ALL ");

async function inZone<T>(zone: string, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await duckdb.session();
  try {
    await session.run(`SET TimeZone = '${zone}'`);
    return await work(session);
  } finally {
    await session.close();
  }
}

const partitionsOf = async (table: DeltaTable) =>
  [...(await table.existingSnapshot()).files.values()].map((file) => file.partitionValues.ts).sort();

/** Microseconds since the epoch of both columns, by `x`. */
async function microsOf(table: DeltaTable, session: Session) {
  const scan = await scanSql(table.store, scannable(await table.existingSnapshot()));
  const rows = await session.rows(
    `SELECT epoch_us(ts)::VARCHAR AS ts, epoch_us(seen)::VARCHAR AS seen FROM (${scan}) ORDER BY x`,
  );
  return rows.map((r) => [r.ts, r.seen]);
}

describe.each(["America/New_York", "Asia/Kolkata", "Pacific/Apia"])("a session in %s", (zone) => {
  it("writes the partitions, statistics and values that one in UTC writes", async () => {
    const [here, utc] = [
      await tableOf(COLUMNS, undefined, { partitionBy: ["ts"] }),
      await tableOf(COLUMNS, rowsSql, { partitionBy: ["ts"] }),
    ];
    await inZone(zone, (session) => appendRows(here, { sql: rowsSql, session }));
    expect(await partitionsOf(here)).toEqual(INSTANTS);
    expect(await partitionsOf(utc)).toEqual(INSTANTS);
    const statsOf = async (table: DeltaTable) =>
      [...(await table.existingSnapshot()).files.values()].map((file) => file.stats).sort();
    expect(await statsOf(here)).toEqual(await statsOf(utc));
    const [mine, theirs] = [
      await inZone(zone, (session) => microsOf(here, session)),
      await inZone("UTC", (session) => microsOf(utc, session)),
    ];
    expect(mine).toEqual(theirs);
    expect(mine[0]).toEqual(["-1", "-1"]);
  });

  it("keeps the partitions of rows that a merge or an overwrite moves", async () => {
    const table = await tableOf(COLUMNS, rowsSql, { partitionBy: ["ts"] });
    const before = await inZone("UTC", (session) => microsOf(table, session));
    await inZone(zone, (session) =>
      mergeRows(table, {
        source: { sql: `SELECT ts, x + 10 AS x FROM (${rowsSql})`, session },
        on: "target.ts = source.ts",
        matched: [{ update: { x: "source.x" } }],
        notMatched: [{ insert: { ts: "source.ts" } }],
      }),
    );
    expect(await partitionsOf(table)).toEqual(INSTANTS);
    const where = `ts = TIMESTAMPTZ '${INSTANTS[1]}'`;
    await inZone(zone, (session) =>
      overwriteRows(
        table,
        { sql: `SELECT ts, 11 AS x, ts AS seen FROM (${rowsSql}) WHERE x = 1`, session },
        { where },
      ),
    );
    expect(await partitionsOf(table)).toEqual(INSTANTS);
    expect(await inZone(zone, (session) => microsOf(table, session))).toEqual(before);
    expect(await deleteRows(table, where)).toMatchObject({ deletedRows: 1 });
  });
});
