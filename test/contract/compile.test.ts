/** Which checks become SQL, under which names, and what JavaScript is asked. */
import { inspect } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { brokenSql, okSql } from "../../layers/contract/check-sql.ts";
import { compileContract } from "../../layers/contract/compile.ts";
import { residualVerdicts } from "../../layers/contract/residual.ts";
import {
  array,
  type Columns,
  date,
  decimal,
  defineTable,
  double,
  integer,
  json,
  long,
  oneOf,
  struct,
  text,
  timestamp,
} from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";

const duckdb = await useDuckDb();
const session = await duckdb.session();
afterAll(() => session.close());

const table = (columns: Columns, checks = {}) =>
  defineTable({ name: "things", description: "Things.", columns, checks });
const compiled = (columns: Columns) => compileContract(table(columns));

test("checks that SQL says exactly are SQL, by name", () => {
  const { rules, residual } = compiled({
    code: text().check((s) =>
      s
        .min(1)
        .max(9)
        .length(3)
        .regex(/^\w+$/)
        .startsWith("a")
        .endsWith("b")
        .includes("c")
        .lowercase()
        .uppercase(),
    ),
    email: text()
      .check(() => z.email())
      .nullable(),
    uuid: text().check(() => z.uuid()),
    base64: text().check(() => z.base64()),
    status: oneOf("a", "b"),
    payload: json(),
    n: integer().check((n) => n.min(0).max(9).gt(-1).lt(10).multipleOf(3)),
    ratio: double().check((n) => n.min(0).multipleOf(0.1)),
    big: long().check((n) => n.min(0n).multipleOf(2n)),
    at: timestamp().check((d) => d.min(new Date(0)).max(new Date("2100-01-01"))),
    day: date().min("2000-01-01"),
    price: decimal(12, 2).gt("0").max("10"),
    tags: array(text().check((s) => s.min(1))).check((l) => l.min(1)),
    place: struct({ city: text().check((s) => s.min(1)), zip: text().nullable() }),
    same: text().check((s) => s.regex(/a/).regex(/b/)),
    either: text().check(() => z.union([z.literal("a"), z.string().min(3)])),
  });
  expect(residual).toEqual([]);
  const names = (column: string) =>
    rules.flatMap((r) => (r.column === column ? r.name.slice(column.length) : [])).join(" ");
  expect(names("code")).toBe(
    ".required .minLength .maxLength .length .regex .startsWith .endsWith .includes .lowercase .uppercase",
  );
  expect(names("email")).toBe(".email");
  expect(names("status")).toBe(".required .enum");
  expect(names("n")).toBe(".required .min .max .gt .lt .multipleOf");
  expect(names("ratio")).toBe(".required .finite .min .multipleOf");
  expect(names("at")).toBe(".required .date .min .max");
  expect(names("price")).toBe(".required .gt .max");
  expect(names("tags")).toBe(".required [].required [].minLength .minLength");
  expect(names("place")).toBe(".required .city.required .city.minLength");
  expect(names("same")).toBe(".required .regex .regex2");
  expect(names("either")).toBe(".required .union");
});

test("what SQL cannot say is told with the reason", () => {
  const { residual, rules } = compiled({
    url: text()
      .check(() => z.url().max(9))
      .nullable(),
    twice: text()
      .check((s) => s.regex(/(.)\1/))
      .nullable(),
    own: text()
      .check((s) => s.refine((t) => t !== "x"))
      .nullable(),
    any: text()
      .check((s) => s.regex(/^.{3}$/))
      .nullable(),
  });
  expect(residual.map(({ name, spec, where }) => [name, spec, where !== undefined])).toEqual([
    ["url.url", "url: judged by code, not by a pattern", false],
    ["url.maxLength", 'length("url") <= 9: of a value that url() trimmed', false],
    ["twice.regex", "/(.)\\1/: a pattern that SQL does not have", false],
    ["own.refine", 'code: (t) => t !== "x"', false],
    ["any.regex", "/^.{3}$/: without flag u, it takes characters beyond 0xffff for two", true],
  ]);
  expect(rules.map((r) => r.name)).toEqual(["any.regex"]);
});

describe("rules in SQL", () => {
  const contract = table(
    {
      'odd "name': text()
        .check((s) => s.min(2))
        .nullable(),
      n: integer().check((n) => n.min(1)),
    },
    { both: { sql: "n < 10 -- a comment", message: "too many" } },
  );
  const rows = `SELECT * FROM (VALUES (1, 'ab', 1), (2, 'a', 0), (3, NULL, NULL), (4, 'ab', 11)) t(i, "odd ""name", n) ORDER BY i`;

  test("give the names of those that a row breaks, and NULL breaks none but its own", async () => {
    const rules = compileContract(contract);
    const found = await session.rows(
      `SELECT i, ${okSql(rules)} AS ok, ${brokenSql(rules)} AS broken FROM (${rows})`,
    );
    expect(found).toEqual([
      { i: 1, ok: true, broken: [] },
      { i: 2, ok: false, broken: ['odd "name.minLength', "n.min"] },
      { i: 3, ok: false, broken: ["n.required"] },
      { i: 4, ok: false, broken: ["both"] },
    ]);
    const none = { rules: [] };
    expect(await session.rows(`SELECT ${okSql(none)} AS ok, ${brokenSql(none)} AS broken`)).toEqual([
      { ok: true, broken: [] },
    ]);
  });

  test("have a fingerprint that changes with any of them, and with nothing else", () => {
    const base = { n: integer().check((n) => n.min(1)) };
    const prints = [
      base,
      { n: integer().check((n) => n.min(2)) },
      { n: integer().check((n) => n.min(1).refine((v) => v !== 7)) },
      { n: integer().check((n) => n.min(1).refine((v) => v !== 8)) },
      { n: base.n.nullable() },
    ].map((columns) => compiled(columns).fingerprint);
    expect(new Set(prints).size).toBe(prints.length);
    expect(compiled({ n: base.n.describe("a number").default(4) }).fingerprint).toBe(prints[0]);
  });
});

describe("checks that run in JavaScript", () => {
  const contract = table({
    word: text()
      .check((s) => s.refine((t) => !t.includes("x")))
      .nullable(),
    moment: timestamp().check((d) => d.refine((v) => v.getUTCDay() !== 0)),
  });
  const rows =
    "SELECT CASE WHEN i % 3 = 0 THEN NULL ELSE 'w' || (i % 5000) || CASE WHEN i % 2 = 0 THEN 'x' ELSE '' END END AS word, TIMESTAMPTZ '2026-11-16 00:00:00+00' + to_days(CAST(i % 7 AS INTEGER)) AS moment FROM range(20000) t(i)";

  test("run once for each value, and become rules for the rows", async () => {
    const rules = compileContract(contract);
    const verdicts = await residualVerdicts(session, contract, rows, rules);
    expect(verdicts.map((rule) => rule.name)).toEqual(["word.refine", "moment.refine"]);
    const all = { rules: [...rules.rules, ...verdicts] };
    const [found] = await session.rows(
      `SELECT count(*) FILTER (WHERE ${okSql(all)} <> (coalesce(word NOT LIKE '%x%', true) AND dayofweek(moment) <> 0)) AS wrong,
         count(*) FILTER (WHERE ${okSql(all)}) AS kept, max(len(${brokenSql(all)})) AS most FROM (${rows})`,
    );
    expect(found).toMatchObject({ wrong: 0n, most: 2n });
    expect(Number(found?.kept)).toBeGreaterThan(5000);
  });

  test("give no rule where nothing breaks them", async () => {
    expect(
      await residualVerdicts(
        session,
        contract,
        `SELECT * FROM (${rows}) WHERE word IS NULL AND dayofweek(moment) = 1`,
      ),
    ).toEqual([]);
  });

  test("are named when they throw or do not answer at once", async () => {
    const throwing = table({ word: text().check((s) => s.refine((t) => JSON.parse(t).ok === true)) });
    await expect(residualVerdicts(session, throwing, "SELECT 'no json' AS word")).rejects.toMatchObject({
      code: "CONTRACT_CHECK_FAILED",
      value: "a value of word: no json",
    });
    const personal = table({
      word: text()
        .sensitive("mask")
        .check((s) => s.refine((t) => JSON.parse(t))),
    });
    const error = await residualVerdicts(session, personal, "SELECT 'secret' AS word").catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: "CONTRACT_CHECK_FAILED", value: "a value of word" });
    expect(inspect(error, { depth: 9 })).not.toContain("secret");
    const late = table({ word: text().check((s) => s.refine(async () => true)) });
    await expect(residualVerdicts(session, late, "SELECT 'a' AS word")).rejects.toThrow(
      /word.refine.*Promise/,
    );
  });
});
