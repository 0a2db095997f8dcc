/** Tables that Ingot makes and every other engine must read as Ingot does. */
import { literal } from "../../lakehouse/duckdb/quote.ts";
import type { EngineName } from "../support/engines.ts";
import type { IngotWriter } from "./ingot-writer.ts";
import { ODD_TEXTS } from "./odd-texts.ts";

export interface IngotTable {
  readonly name: string;
  readonly make: (table: IngotWriter) => Promise<void>;
  /** The change feed is compared too, from this version on. */
  readonly changesFrom?: number;
  /** Engines that cannot read it: why, and how they fail. */
  readonly cannot?: Partial<Readonly<Record<EngineName, { readonly why: string; readonly error: RegExp }>>>;
}

const VECTORS = { "delta.enableDeletionVectors": "true" };
const FEED = { "delta.enableChangeDataFeed": "true" };
const NAMES = { "delta.columnMapping.mode": "name" };

/** Rows from `first` on: an id, a text, a partition. */
const batch = (first: number, count: number) =>
  `SELECT i::BIGINT AS id, 'v' || i AS v, 'p ' || i % 3 AS p FROM range(${first}, ${first + count}) AS _(i)`;

const oddRows = ODD_TEXTS.map((text, i) => `(${i}, ${literal(text)})`).join(", ");

export const INGOT_TABLES: readonly IngotTable[] = [
  {
    name: "every primitive type",
    make: async (table) => {
      await table.create(`SELECT * FROM (VALUES
        (9223372036854775807::BIGINT, 127::TINYINT, 32767::SMALLINT, 2147483647::INTEGER, 0.1::FLOAT, 1.7976931348623157e308::DOUBLE, 'naïve 😀', '\\x00\\xFF'::BLOB, true, DATE '2026-02-28', TIMESTAMPTZ '2026-02-28 12:00:00.123456+00'),
        (-9223372036854775808, -128, -32768, -2147483648, 'nan'::FLOAT, '-inf'::DOUBLE, '', '\\xC3'::BLOB, false, DATE '1970-01-01', TIMESTAMPTZ '1969-12-31 23:59:59.999999+00'),
        (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
      ) AS t(id, ti, si, i, f, d, s, b, ok, day, ts)`);
    },
  },
  {
    name: "dates and times far away",
    make: (table) =>
      table.create(
        `SELECT * FROM (VALUES (1, DATE '0001-01-01', TIMESTAMPTZ '0001-01-01 00:00:00+00'), (2, DATE '9999-12-31', TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'), (3, DATE '1582-10-04', TIMESTAMPTZ '1500-06-15 12:00:00.000001+00')) AS t(id, day, ts)`,
      ),
    cannot: { chdb: { why: "its dates begin in 1900", error: /out of allowed Date32 range/ } },
  },
  {
    name: "timestamps without a zone",
    make: (table) =>
      table.create(
        "SELECT * FROM (VALUES (1, TIMESTAMP '2026-03-29 02:30:00.000001'), (2, NULL)) AS t(id, ntz)",
      ),
  },
  {
    name: "decimals of every width",
    make: (table) =>
      table.create(`SELECT * FROM (VALUES
        (1, 9::DECIMAL(1,0), 9999999.99::DECIMAL(9,2), 0.123456789012345678::DECIMAL(18,18), '123456789012345.6789'::DECIMAL(19,4), '99999999999999999999999999999999999999'::DECIMAL(38,0), '0.12345678901234567890123456789012345678'::DECIMAL(38,38)),
        (2, -9, -0.01, '-0.000000000000000001', '-0.0001', '-99999999999999999999999999999999999999', '-0.00000000000000000000000000000000000001'), (3, NULL, NULL, NULL, NULL, NULL, NULL)
      ) AS t(id, a, b, c, d, e, f)`),
  },
  {
    name: "structs, lists and maps",
    make: async (table) => {
      await table.create(`SELECT * FROM (VALUES
        (1, {'a': 1, 'n': {'d': 1.50::DECIMAL(10,2), 'e': DATE '2026-01-01'}}, [1, NULL, 3]::BIGINT[], [{'x': 1, 'y': 'q'}], MAP {'k': {'v': 0.5::DOUBLE}}),
        (2, {'a': NULL, 'n': {'d': NULL, 'e': NULL}}, [], [], MAP {})
      ) AS t(id, st, l, ls, m)`);
    },
  },
  {
    name: "nested values that are NULL",
    make: (table) =>
      table.create(
        `SELECT * FROM (VALUES (1, {'a': 1}, [[1], NULL], MAP {'k': [1]}), (2, NULL, NULL, NULL)) AS t(id, st, l, m)`,
      ),
  },
  {
    name: "appends, overwrites, updates, deletes, merges",
    make: async (table) => {
      await table.create(batch(0, 30));
      await table.append(batch(30, 10));
      await table.update({ v: "'updated'" }, "id BETWEEN 5 AND 9");
      await table.delete("id % 7 = 0");
      await table.merge({
        source: batch(35, 10),
        on: "target.id = source.id",
        matched: [{ when: "source.id = 36", delete: true }, { update: "all" }],
        notMatched: [{ insert: "all" }],
        notMatchedBySource: [{ when: "target.id < 3", delete: true }],
      });
      await table.overwrite(batch(300, 1), "p = 'p 0'");
      await table.overwrite(batch(500, 3));
      await table.delete();
    },
  },
  {
    name: "partitions whose values are a trap in paths",
    make: async (table) => {
      await table.create(`SELECT * FROM (VALUES ${oddRows}, (100, NULL), (101, '')) AS t(id, p)`, {
        partitionBy: ["p"],
      });
      await table.delete("p = 'a%b'");
      await table.update({ id: "id + 1000" }, "p = 'a/b'");
    },
  },
  {
    name: "partitions of every type",
    make: (table) =>
      table.create(
        `SELECT * FROM (VALUES
          (1, -1, 9223372036854775807::BIGINT, 0.5::DOUBLE, true, DATE '2026-02-28', TIMESTAMPTZ '2026-02-28 12:00:00.123456+00', -1.500::DECIMAL(12,3)),
          (2, 0, -1, -1e20, false, DATE '1970-01-01', TIMESTAMPTZ '1969-12-31 23:59:59+00', 12345.5), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
        ) AS t(id, i, n, d, ok, day, ts, m)`,
        { partitionBy: ["i", "n", "d", "ok", "day", "ts", "m"] },
      ),
  },
  {
    name: "columns added by rows and by hand; constraints",
    make: async (table) => {
      await table.create("SELECT 1::BIGINT AS id, 'one' AS a");
      await table.append("SELECT 2::BIGINT AS id, 'two' AS a, 0.5::DOUBLE AS b", true);
      await table.alter({ addColumn: { name: "c", type: "date", comment: "by hand" } });
      await table.alter({ addConstraint: { name: "positive", check: "id > 0" } });
      await table.append("SELECT 3::BIGINT AS id, 'three' AS a, 1.5::DOUBLE AS b, DATE '2026-01-01' AS c");
    },
  },
  {
    name: "a table with checkpoints",
    make: async (table) => {
      await table.create(batch(0, 5), {
        partitionBy: ["p"],
        properties: { "delta.checkpointInterval": "3" },
      });
      for (let i = 1; i < 5; i++) await table.append(batch(i * 5, 5));
      await table.delete("id % 4 = 0");
    },
  },
  {
    name: "a table with checkpoints of version 2",
    make: async (table) => {
      const properties = { "delta.checkpointInterval": "3", "delta.checkpointPolicy": "v2", ...VECTORS };
      await table.create(batch(0, 5), { partitionBy: ["p"], properties });
      for (let i = 1; i < 5; i++) await table.append(batch(i * 5, 5));
      await table.delete("id % 4 = 0");
      await table.append(batch(100, 1));
    },
  },
  {
    name: "deletion vectors",
    make: async (table) => {
      await table.create(batch(0, 1000), { properties: VECTORS });
      await table.delete("id % 3 = 1");
      await table.delete("id > 900");
      await table.update({ v: "'updated'" }, "id < 10");
      await table.merge({
        source: batch(5, 10),
        on: "target.id = source.id",
        matched: [{ update: "all" }],
        notMatched: [{ insert: "all" }],
      });
      await table.delete("id < 500");
    },
  },
  {
    name: "change data feed",
    make: async (table) => {
      await table.create(batch(0, 10), { partitionBy: ["p"], properties: FEED });
      await table.update({ v: "'updated'", p: "'p 9'" }, "id = 3");
      await table.delete("id IN (4, 5)");
      await table.merge({
        source: batch(8, 4),
        on: "target.id = source.id",
        matched: [{ update: "all" }],
        notMatched: [{ insert: "all" }],
      });
      await table.delete("p = 'p 0'");
      await table.overwrite(batch(100, 2));
    },
    changesFrom: 0,
  },
  {
    name: "change data feed with deletion vectors",
    make: async (table) => {
      await table.create(batch(0, 20), { properties: { ...FEED, ...VECTORS } });
      await table.delete("id % 5 = 0");
      await table.update({ v: "'updated'" }, "id = 7");
      await table.delete();
    },
    changesFrom: 0,
    cannot: {
      deltalake: { why: "its feed lacks rows that deletion vectors took away", error: /changes: expected/ },
    },
  },
  {
    name: "column mapping: renamed, dropped, added again, odd names",
    make: async (table) => {
      await table.create(`SELECT 1::BIGINT AS id, 'one' AS "a b,c;{}()=", {'x': 1} AS st, 'p/1' AS p`, {
        partitionBy: ["p"],
        properties: NAMES,
      });
      await table.alter(
        { renameColumn: { from: "a b,c;{}()=", to: "name" } },
        { renameColumn: { from: "p", to: "part" } },
      );
      await table.append("SELECT 2::BIGINT AS id, 'two' AS name, {'x': 2} AS st, NULL::VARCHAR AS part");
      await table.alter({ dropColumn: "name" });
      await table.alter({ addColumn: { name: "name", type: "integer" } });
      await table.append("SELECT 3::BIGINT AS id, {'x': 3} AS st, 'p3' AS part, 3 AS name");
      await table.update({ name: "30" }, "id = 3");
    },
  },
  {
    name: "type widening",
    make: async (table) => {
      await table.create(
        "SELECT 1::TINYINT AS a, 2::INTEGER AS b, 0.5::FLOAT AS c, 1.25::DECIMAL(6,2) AS d",
        {
          properties: { "delta.enableTypeWidening": "true" },
        },
      );
      await table.alter(
        { widenColumn: { name: "a", type: "integer" } },
        { widenColumn: { name: "b", type: "long" } },
        { widenColumn: { name: "c", type: "double" } },
        { widenColumn: { name: "d", type: "decimal(12,4)" } },
      );
      await table.append(
        "SELECT 70000::INTEGER AS a, 5000000000::BIGINT AS b, 0.1::DOUBLE AS c, 12345678.1234::DECIMAL(12,4) AS d",
      );
    },
    cannot: {
      deltalake: { why: "it does not know the feature", error: /Unsupported table features.*TypeWidening/ },
    },
  },
  {
    name: "in-commit timestamps and domain metadata",
    make: async (table) => {
      await table.create(batch(0, 3), {
        properties: { "delta.enableInCommitTimestamps": "true" },
        features: ["domainMetadata"],
      });
      await table.append(batch(3, 3));
    },
  },
];
