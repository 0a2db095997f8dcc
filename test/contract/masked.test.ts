/** Personal values are not shown, and what is shown still joins. */
import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { maskedQuarantineSql, maskedSql } from "../../layers/contract/masked.ts";
import { decimal, defineTable, long, text } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";

const duckdb = await useDuckDb();

const people = defineTable({
  name: "people",
  description: "people",
  key: ["id"],
  columns: {
    id: long(),
    'e"mail': text().nullable().sensitive("hash"),
    phone: long().nullable().sensitive("hash"),
    name: text().nullable().sensitive("mask"),
    salary: decimal(12, 2).nullable().sensitive("mask"),
    city: text(),
  },
});

const ROWS = `SELECT * FROM (VALUES
  (1::BIGINT, 'a@b.c', 49301::BIGINT, 'Ada', 10.50::DECIMAL(12,2), 'Paris'),
  (2::BIGINT, 'a@b.c', NULL, NULL, NULL, 'Rome')) t(id, "e""mail", phone, name, salary, city)`;

const digest = (value: string) => createHash("sha256").update(`lake:${value}`).digest("hex");

it("hides what is masked and gives digests of what is hashed", async () => {
  const rows = await duckdb.rows(`${maskedSql(ROWS, people, "lake")} ORDER BY id`);
  const email = digest("a@b.c");
  expect(rows).toEqual([
    { id: 1n, 'e"mail': email, phone: digest("49301"), name: "***", salary: null, city: "Paris" },
    { id: 2n, 'e"mail': email, phone: null, name: null, salary: null, city: "Rome" },
  ]);
});

it("leaves contracts without personal values alone", () => {
  const places = defineTable({ name: "p", description: "p", key: ["id"], columns: { id: long() } });
  expect(maskedSql(ROWS, places, "lake")).toBe(ROWS);
  expect(maskedQuarantineSql(ROWS, places)).toBe(ROWS);
});

it("shows of a row in quarantine what the contract knows and does not call sensitive", async () => {
  const raw = JSON.stringify({ id: "1", mail: "a@b.c", name: "Ada", city: null });
  const rows = await duckdb.rows(
    maskedQuarantineSql(`SELECT '${raw}' AS raw, '{"id":"1"}' AS key, ['x'] AS rules`, people),
  );
  expect(JSON.parse(String(rows[0]?.raw))).toEqual({ id: "1", mail: "***", name: "***", city: null });
  expect(JSON.parse(String(rows[0]?.key))).toEqual({ id: "1" });
});
