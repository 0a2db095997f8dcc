/** A compiled contract says of every row what zod says. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { duckdbType } from "../../lakehouse/delta/schema.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { brokenSql, okSql } from "../../layers/contract/check-sql.ts";
import { compileContract } from "../../layers/contract/compile.ts";
import { contractValue } from "../../layers/contract/contract-value.ts";
import { residualVerdicts } from "../../layers/contract/residual.ts";
import type { Column } from "../../schemas/column.ts";
import { type AnyContract, date, defineTable, double, long, text, timestamp } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import type { Case } from "./random-column.ts";
import { typedCase } from "./typed-rows.ts";

const duckdb = await useDuckDb();

async function withSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
  const session = await duckdb.session();
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/**
 * The verdict of SQL on every row, beside its value. The value is read as text too: as it is, one that begins with a
 * byte order mark would lose it on the way.
 */
async function verdicts(session: Session, contract: AnyContract, sql: string) {
  const compiled = compileContract(contract);
  const rules = [...compiled.rules, ...(await residualVerdicts(session, contract, sql, compiled))];
  return session.rows(
    `SELECT *, '.' || CAST("the value" AS VARCHAR) AS _text, ${okSql({ rules })} AS _ok,
       ${brokenSql({ rules })} AS _broken FROM (${sql})`,
  );
}

/** A table with the values of a case, as its column's type. */
async function fill(session: Session, { column, values }: Case): Promise<string> {
  const type = duckdbType(column.type);
  const value =
    typeof column.type === "string" ? `CAST(v AS ${type})` : `from_json(v, ${literal(shapeOf(column.type))})`;
  await session.run(`CREATE OR REPLACE TABLE cases (i INTEGER, "the value" ${type})`);
  await session.rows(
    `INSERT INTO cases SELECT i, ${value} FROM (
       SELECT unnest(l) AS v, generate_subscripts(l, 1) AS i FROM (SELECT from_json($1, '["VARCHAR"]') AS l))`,
    [JSON.stringify(values)],
  );
  return `SELECT "the value" FROM cases ORDER BY i`;
}

/** A type as DuckDB's functions of JSON want it. */
function shapeOf(type: Case["column"]["type"]): string {
  const shape = (t: typeof type): unknown => {
    if (typeof t === "string") return duckdbType(t);
    if (t.type === "array") return [shape(t.elementType)];
    return Object.fromEntries(t.fields.map((f) => [f.name, shape(f.type)]));
  };
  return JSON.stringify(shape(type));
}

/** Compares the verdicts of all values of a case. */
async function compare(session: Session, one: Case): Promise<void> {
  const contract = defineTable({
    name: "cases",
    description: "One column.",
    columns: { "the value": one.column },
  });
  for (const row of await verdicts(session, contract, await fill(session, one))) {
    const isText = one.column.type === "string" && row._text !== null;
    const value = isText ? String(row._text).slice(1) : contractValue(row["the value"], one.column.type);
    const told = (ok: unknown) =>
      `${one.name}: ${ok ? "keeps" : "breaks"} ${typeof value === "string" ? JSON.stringify(value) : String(value)}`;
    const isKept = contract.row.safeParse({ "the value": value }).success;
    expect(told(row._ok)).toBe(told(isKept));
    expect((row._broken as string[]).length === 0).toBe(isKept);
  }
}

test("zod and SQL give the same verdict of every value", async () => {
  await withSession(async (session) => {
    await fc.assert(
      fc.asyncProperty(typedCase, (one) => compare(session, one)),
      { numRuns: 300 },
    );
  });
});

const epoch = new Date(0);
const AROUND_EPOCH = ["-infinity", "1969-12-31 23:59:59.999+00", "1969-12-31 23:59:59.999999+00"].concat([
  "1970-01-01 00:00:00+00",
  "1970-01-01 00:00:00.000999+00",
  "1970-01-01 00:00:00.001+00",
  "infinity",
]);
const hundredths = Array.from({ length: 600 }, (_, i) => String(i / 100));

/** Where it is easily wrong. */
const EDGES: readonly [name: string, column: Column, values: readonly string[]][] = [
  ["max", timestamp().check((d) => d.max(epoch)), AROUND_EPOCH],
  ["min", timestamp().check((d) => d.min(epoch)), AROUND_EPOCH],
  ["gt", timestamp().check((d) => d.check(z.gt(epoch))), AROUND_EPOCH],
  ["lt", timestamp().check((d) => d.check(z.lt(epoch))), AROUND_EPOCH],
  [
    "first and last day",
    date(),
    ["0002-12-31 (BC)", "0001-01-01 (BC)", "0001-01-01", "9999-12-31", "10000-01-01"],
  ],
  ["steps of 0.07", double().check((n) => n.multipleOf(0.07)), hundredths],
  ["steps of 0.1", double().check((n) => n.multipleOf(0.1)), hundredths],
  [
    "steps of 1e-7",
    double().check((n) => n.multipleOf(1e-7)),
    [...hundredths, "1e22", "123456.7890123", "4e-8"],
  ],
  [
    "safe integers",
    double().check((n) => n.int()),
    ["9007199254740991", "9007199254740992", "0.5", "-0", "1e300"],
  ],
  ["least integer", long().check((n) => n.multipleOf(-1n)), ["-9223372036854775808", "0"]],
  ["steps of 2^63", long().check((n) => n.multipleOf(2n ** 63n)), ["-9223372036854775808", "0", "1"]],
  ["steps of 2^70", long().check((n) => n.multipleOf(2n ** 70n)), ["-9223372036854775808", "0", "1"]],
  [
    "zod's words",
    text().check((s) => s.superRefine((t, c) => (t === "b" ? c.addIssue("not b") : undefined))),
    ["a", "b"],
  ],
  ["url, trimmed", text().check(() => z.url().max(11)), ["https://a.b", " https://a.b ", "https://a.bc"]],
  ["code points", text().check((s) => s.length(2)), ["ab", "😀", "😀😀", "e\u0301", "é", "👩‍👩"]],
];

test.each(EDGES)("zod and SQL give the same verdict: %s", async (name, column, values) => {
  await withSession((session) => compare(session, { name, column, values }));
});
