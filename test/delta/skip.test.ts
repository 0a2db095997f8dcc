import fc from "fast-check";
import { expect, test } from "vitest";
import type { AddFile } from "../../lakehouse/delta/actions.ts";
import { layoutOf } from "../../lakehouse/delta/layout.ts";
import { duckdbType } from "../../lakehouse/delta/schema.ts";
import { allMatch, mayMatch } from "../../lakehouse/delta/skip/evaluate.ts";
import { parsePredicate } from "../../lakehouse/delta/skip/parse-predicate.ts";
import { not } from "../../lakehouse/delta/skip/predicate.ts";
import { samePath, type TableInfo } from "../../lakehouse/delta/skip/table-info.ts";
import { stage } from "../../lakehouse/delta/stage.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { readParquet } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { type Case, cases, rowsSql, schemaOf } from "./skip-cases.ts";
import { describeFile } from "./skip-reference.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** Runs long where INGOT_SKIP_RUNS says so. */
const numRuns = Number(process.env.INGOT_SKIP_RUNS ?? 150);

/** What a search has met. */
interface Tally {
  conditions: number;
  refused: number;
  skipped: number;
  whole: number;
}

test("no file is skipped that holds a row of the answer, and none is taken whole that does not", async () => {
  const tally = emptyTally();
  await fc.assert(
    fc.asyncProperty(cases, async (example) => {
      const session = await duckdb.session();
      try {
        await session.run(`CREATE TABLE t AS ${rowsSql(example)}`);
        await checkFile(session, example, await describeFile(session, example), tally);
      } finally {
        await session.close();
      }
    }),
    { numRuns },
  );
  // The property would hold of a kernel that never skips, and of conditions that DuckDB refuses.
  expect(tally.refused / tally.conditions).toBeLessThan(0.5);
  expect(tally.skipped / tally.conditions).toBeGreaterThan(0.1);
  expect(tally.whole / tally.conditions).toBeGreaterThan(0.02);
}, 3_600_000);

test("the same by the statistics that this kernel writes", async () => {
  const store = new LocalStore(folder.path);
  await fc.assert(
    fc.asyncProperty(cases, async (example) => {
      const session = await duckdb.session();
      try {
        const table = tableOf(example);
        const layout = layoutOf(
          { partitionColumns: table.partitionColumns, configuration: {} },
          table.schema,
        );
        const { files } = await stage(store, session, rowsSql(example), layout, { now: 0 });
        for (const file of files) {
          const columns = table.schema.fields.map(({ name, type }) => {
            if (name !== example.partition) return identifier(name);
            return `nullif(${literal(file.partitionValues[name] ?? "")}, '')::${duckdbType(type)} AS ${identifier(name)}`;
          });
          const address = store.address(decodeURIComponent(file.path)) ?? "";
          await session.run(
            `CREATE OR REPLACE TABLE t AS SELECT ${columns.join(", ")} FROM ${readParquet([address])}`,
          );
          await checkFile(session, example, file, emptyTally());
        }
      } finally {
        await session.close();
      }
    }),
    { numRuns: Math.ceil(numRuns / 3) },
  );
}, 3_600_000);

function tableOf({ columns, partition }: Case): TableInfo & { partitionColumns: string[] } {
  const partitionColumns = partition === undefined ? [] : [partition];
  return { schema: schemaOf(columns), partitionColumns, physicalPath: samePath };
}

function emptyTally(): Tally {
  return { conditions: 0, refused: 0, skipped: 0, whole: 0 };
}

/** Compares what is said of a file with its rows, which are in table `t`. */
async function checkFile(session: Session, example: Case, file: AddFile, tally: Tally): Promise<void> {
  const table = tableOf(example);
  for (const sql of example.conditions) {
    const { predicate } = await parsePredicate(duckdb, sql, table.schema);
    const counts = await countResults(session, sql);
    tally.conditions++;
    if (counts === undefined) {
      tally.refused++;
      continue;
    }
    const may = mayMatch(predicate, file, table);
    const all = allMatch(predicate, file, table);
    if (!may) tally.skipped++;
    if (all) tally.whole++;
    const stated = `${sql} over ${file.stats} ${JSON.stringify(file.partitionValues)}`;
    expect(may || counts.yes === 0, `skipped: ${stated}`).toBe(true);
    expect(mayMatch(not(predicate), file, table) || counts.no === 0, `NOT skipped: ${stated}`).toBe(true);
    expect(all && counts.no + counts.unknown > 0, `taken whole: ${stated}`).toBe(false);
  }
}

/** How many rows of `t` give true, false and null; undefined where DuckDB refuses the condition. */
async function countResults(session: Session, sql: string) {
  try {
    const [row] = await session.rows(
      `SELECT count(*) FILTER (WHERE (${sql}) IS TRUE)::INTEGER AS yes,
        count(*) FILTER (WHERE (${sql}) IS FALSE)::INTEGER AS no,
        count(*) FILTER (WHERE (${sql}) IS NULL)::INTEGER AS unknown FROM t`,
    );
    const [filtered] = await session.rows(`SELECT count(*)::INTEGER AS rows FROM t WHERE ${sql}`);
    return {
      yes: Math.max(Number(row?.yes), Number(filtered?.rows)),
      no: Number(row?.no),
      unknown: Number(row?.unknown),
    };
  } catch (error) {
    if ((error as { code?: string }).code === "DUCKDB_SQL") return undefined;
    throw error;
  }
}
