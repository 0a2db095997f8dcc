import type pg from "pg";
import { expect, it } from "vitest";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { TransientError } from "../../lakehouse/errors.ts";
import { load } from "../../layers/bronze/ingest.ts";
import type { Ingestion } from "../../layers/bronze/ingestion.ts";
import { shareSnapshot } from "../../layers/bronze/postgres/snapshot.ts";
import { describeAll } from "../../layers/bronze/source-tables.ts";
import { compareRanges } from "../../layers/bronze/verify/compare-ranges.ts";
import { pairColumns } from "../../layers/bronze/verify/compared-columns.ts";
import { SourceReaders } from "../../layers/bronze/verify/source-readers.ts";
import { verify } from "../../layers/bronze/verify/verify.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

const tooLong = () =>
  new TransientError("too long", { code: "POSTGRES_STATEMENT_TIMEOUT", next: "Let it read less." });

/** A source on which every statement that sums more than so many rows takes too long. */
class SlowReaders extends SourceReaders {
  private readonly mostRows: number;

  constructor(ingestion: Ingestion, mostRows: number) {
    super(ingestion);
    this.mostRows = mostRows;
  }

  override run<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    return super.run(async (client) => {
      const result = await work(client);
      const rows = result instanceof Map ? [...result.values()].reduce((all, { rows: n }) => all + n, 0) : 0;
      if (rows > this.mostRows) throw tooLong();
      return result;
    });
  }
}

/** The ranges of a loaded table, compared with a source that is slow beyond so many rows. */
async function compareSlowly(table: string, mostRows: number, change: string) {
  const pipeline: PipelineDefinition = { name: "p", source: postgres({ tables: { [table]: {} } }) };
  const lake = newLake(folder.path, duckdb);
  const context = ingestContext(lake, database.url);
  await load(context, pipeline);
  await database.query(change);
  const target = lake.table(`p/bronze/${table}`);
  const [base, [described]] = [await target.existingSnapshot(), await describeAll(database.url, pipeline)];
  if (described === undefined) throw new Error("no table");
  const shared = await shareSnapshot(database.url);
  const readers = new SlowReaders({ context, pipeline, shared, rate: undefined }, mostRows);
  const session = await duckdb.session();
  try {
    return await compareRanges({
      task: `bronze.${table}`,
      table: described,
      target,
      base,
      changes: await scanSql(target.store, scannable(base)),
      columns: pairColumns(described, base),
      session,
      readers,
      rangeRows: 500,
      onRows: () => {},
    });
  } finally {
    await readers.close();
    await session.close();
    await shared.end();
  }
}

it("divides ranges that take the source too long, also where the lake has no rows of them", async () => {
  await database.query("CREATE TABLE parts (id int PRIMARY KEY, v text)");
  await database.query("INSERT INTO parts SELECT g * 10, 'v' FROM generate_series(1, 1000) g");
  const { ranges } = await compareSlowly(
    "parts",
    150,
    "INSERT INTO parts SELECT 5001 + g % 9 + g / 9 * 10, 'new' FROM generate_series(0, 700) g; INSERT INTO parts SELECT g, 'new' FROM generate_series(20001, 21200) g",
  );
  const sum = (count: "sourceRows" | "lakeRows") => ranges.reduce((all, range) => all + range[count], 0);
  expect([sum("sourceRows"), sum("lakeRows")]).toEqual([2901, 1000]);
  expect(Math.max(...ranges.map((range) => range.sourceRows))).toBeLessThanOrEqual(150);
  expect(ranges.slice(1).map(({ range }) => range.from)).toEqual(
    ranges.slice(0, -1).map(({ range }) => range.to),
  );
  expect([ranges[0]?.range.from, ranges.at(-1)?.range.to]).toEqual([undefined, undefined]);
});

it("says what to do where nothing can be divided further", async () => {
  await database.query("CREATE TABLE plain (id int, v text)");
  await database.query("INSERT INTO plain SELECT g, 'v' FROM generate_series(1, 100) g");
  const pipeline: PipelineDefinition = {
    name: "p",
    source: postgres({
      tables: { plain: { key: "none" } },
      limits: { connections: 1, statementSeconds: 60 },
    }),
  };
  const context = ingestContext(newLake(folder.path, duckdb), database.url);
  await load(context, pipeline);
  expect(await verify(context, pipeline)).toMatchObject([{ status: "same", sourceRows: 100 }]);
  await database.query("ALTER TABLE plain ADD PRIMARY KEY (id)");
  await expect(compareSlowly("plain", 0, "SELECT 1")).rejects.toMatchObject({ code: "VERIFY_TOO_SLOW" });
});
