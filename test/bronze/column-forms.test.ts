import { inspect } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Row } from "../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { Spool, type SpooledFile, SpoolFolder } from "../../layers/bronze/load/spool.ts";
import type { RowBatch } from "../../layers/bronze/postgres/binary/binary-copy.ts";
import { ShortDecimalValues } from "../../layers/bronze/postgres/binary/decimal-values.ts";
import { LongValues } from "../../layers/bronze/postgres/binary/number-values.ts";
import { TextList } from "../../layers/bronze/postgres/binary/text-list.ts";
import { TextValues } from "../../layers/bronze/postgres/binary/text-values.ts";
import { postgres } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
let spools: SpoolFolder;
beforeAll(async () => {
  spools = await SpoolFolder.create();
});
afterAll(() => spools.remove());

interface Value {
  readonly place: number;
  readonly long: bigint | null;
  /** In hundredths. */
  readonly amount: bigint | null;
  readonly text: string | null;
}

/** Numbers of one word for the most part, those at its ends, and others. */
const anyNumber = (largest: bigint, ends: readonly bigint[]) =>
  fc.oneof(
    { weight: 120, arbitrary: fc.bigInt(-5000n, 5000n) },
    { weight: 1, arbitrary: fc.constantFrom(...ends) },
    { weight: 1, arbitrary: fc.bigInt(-largest, largest) },
  );
const anyLong = anyNumber(2n ** 63n - 1n, [-(2n ** 31n), 2n ** 31n - 1n, 2n ** 31n, -(2n ** 31n) - 1n]);
const anyAmount = anyNumber(10n ** 12n - 1n, [10n ** 9n - 1n, 10n ** 9n, 1n - 10n ** 9n, -(10n ** 9n)]);
/** Few texts that come again, and now and then one that is long or new. */
const anyText = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.constantFrom("", "a", "paid", "it's", "späť", "pending", "cancelled", "12345678"),
  },
  {
    weight: 1,
    arbitrary: fc.string({ unit: "binary", maxLength: 60, size: "max" }).map((s) => s.replaceAll("\0", "")),
  },
);
const anyFew = fc.string({ unit: fc.constantFrom("a", "b", "é"), maxLength: 5 });
/** Texts of which many begin and end alike. */
const anyAlike = fc.oneof(
  anyFew,
  anyFew.map((text) => `aaaa${text}aaaa`),
);
const anyValues = fc
  .array(
    fc.record({
      long: fc.option(anyLong, { freq: 8 }),
      amount: fc.option(anyAmount, { freq: 8 }),
      text: fc.option(anyText, { freq: 8 }),
    }),
    { maxLength: 200, size: "max" },
  )
  .map((values) => values.map((value, place): Value => ({ ...value, place })));

describe("columns of a load", () => {
  it("come out as they went in, in whatever forms their files are", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyValues,
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        fc.record({
          groupRows: fc.integer({ min: 1, max: 12 }),
          groupBytes: fc.constant(1 << 20),
          fileBytes: fc.constantFrom(1, 1000, 1 << 20),
        }),
        async (values, batches, sizes) => {
          const columns = [
            new LongValues(),
            new LongValues(),
            new ShortDecimalValues(12, 2),
            new TextValues(),
          ];
          const read: Row[] = [];
          // Two ranges of a table, whose columns go on in the form that they have come to.
          const middle = Math.floor(values.length / 2);
          for (const range of [values.slice(0, middle), values.slice(middle)]) {
            const takeFile = async (file: SpooledFile) => void read.push(...(await rowsOf(file)));
            // One that fails before it has a whole file.
            const failed = new Spool(spools, columns, takeFile, { ...sizes, fileBytes: 1 << 20 });
            await failed.take(batchOf([{ place: -1, long: 1n, amount: 1n, text: "zz lost" }]));
            await failed.abandon();
            const spool = new Spool(spools, columns, takeFile, sizes);
            for (let from = 0, n = 0; from < range.length; n++) {
              const to = from + (batches[n % batches.length] ?? 1);
              await spool.take(batchOf(range.slice(from, to)));
              from = to;
            }
            await spool.end();
          }
          const expected = values.map(({ place, long, amount, text }) => ({
            place: String(place),
            long: long === null ? null : String(long),
            amount: amount === null ? null : String(amount),
            text,
          }));
          expect(read.sort((a, b) => Number(a.place) - Number(b.place))).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("remember texts by their bytes", () => {
    fc.assert(
      fc.property(fc.array(anyAlike), (texts) => {
        const list = new TextList();
        const places = texts.map((text) => {
          const { bytes, view } = batchOf([{ place: 0, long: null, amount: null, text }]);
          const length = Buffer.byteLength(text);
          return list.placeOf(bytes, view, bytes.length - length, length);
        });
        expect(places.map((place) => list.texts[place - 1])).toEqual(texts);
        expect(list.texts).toEqual([...new Set(texts)]);
      }),
    );
  });
});

/** The rows of a file as text; checks that the bounds it tells are those of its rows. */
async function rowsOf({ path, columns }: SpooledFile): Promise<Row[]> {
  const [place, long, amount, text] = columns;
  const rows = await duckdb.rows(
    `SELECT ${place?.sql}::VARCHAR AS place, ${long?.sql}::BIGINT::VARCHAR AS long,
            (${amount?.sql}::DECIMAL(12,2) * 100)::BIGINT::VARCHAR AS amount, ${text?.sql}::VARCHAR AS text
       FROM read_parquet(${literal(path)})`,
  );
  const texts = rows
    .flatMap((row) => (row.text === null ? [] : [Buffer.from(String(row.text))]))
    .sort(Buffer.compare);
  if (text?.texts !== undefined) {
    expect(text.texts).toEqual({ min: texts[0]?.toString(), max: texts.at(-1)?.toString() });
  }
  return rows;
}

/** Rows as a binary COPY sends them. */
function batchOf(values: readonly Value[]): RowBatch {
  const pieces: Buffer[] = [];
  const fields: number[] = [];
  let size = 0;
  const add = (value: Buffer | undefined) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(value?.length ?? -1);
    pieces.push(length, ...(value === undefined ? [] : [value]));
    size += 4;
    fields.push(value === undefined ? -1 : size);
    size += value?.length ?? 0;
  };
  for (const { place, long, amount, text } of values) {
    add(longBytes(BigInt(place)));
    add(long === null ? undefined : longBytes(long));
    add(amount === null ? undefined : numericBytes(amount));
    add(text === null ? undefined : Buffer.from(text));
  }
  const bytes = Buffer.concat(pieces);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { bytes, view, fields: Int32Array.from(fields), columns: 4, rows: values.length, size };
}

function longBytes(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

/** numeric_send of hundredths. */
function numericBytes(hundredths: bigint): Buffer {
  const digits = String((hundredths < 0n ? -hundredths : hundredths) * 100n);
  const padded = digits.padStart(Math.ceil(digits.length / 4) * 4, "0");
  const groups = padded.match(/.{4}/g)?.map(Number) ?? [];
  // The last group is what stands behind the point.
  const weight = groups.length - 2;
  const bytes = Buffer.alloc(8 + groups.length * 2);
  bytes.writeInt16BE(groups.length, 0);
  bytes.writeInt16BE(weight, 2);
  bytes.writeUInt16BE(hundredths < 0n ? 0x4000 : 0, 4);
  bytes.writeInt16BE(2, 6);
  for (const [i, group] of groups.entries()) bytes.writeInt16BE(group, 8 + i * 2);
  return bytes;
}

describe("a loaded table", () => {
  const database = useDatabase();

  it("tells the bounds of its texts, whether they came as places in a list or not", async () => {
    await database.query(`CREATE TABLE tickets AS
      SELECT g::bigint * CASE WHEN g > 180000 THEN 1000000 ELSE 1 END AS id,
             (ARRAY['open', 'Closed', 'späť', 'it''s'])[g % 4 + 1] AS status, NULL::text AS nothing,
             CASE WHEN g > 150000 THEN 'note ' || g ELSE 'none' END AS note,
             CASE WHEN g % 3 > 0 THEN 'wide' || g END AS other
        FROM generate_series(1, 260000) g`);
    const lake = newLake(folder.path, duckdb);
    const tables = { tickets: { key: "none" as const } };
    await load(ingestContext(lake, database.url), { name: "p", source: postgres({ tables }) });
    const wrong = `count(*) FILTER (status IS DISTINCT FROM (['open', 'Closed', 'späť', 'it''s'])[id % 4 + 1])::INTEGER AS status,
      count(*) FILTER (note IS DISTINCT FROM CASE WHEN id > 150000 THEN 'note ' || id ELSE 'none' END)::INTEGER AS note,
      count(*) FILTER (other IS DISTINCT FROM CASE WHEN id % 3 > 0 THEN 'wide' || id END)::INTEGER AS other`;
    const numbered = "SELECT * REPLACE (CASE WHEN id > 1000000 THEN id // 1000000 ELSE id END AS id) FROM t";
    expect(await queryTable(lake, "p/bronze/tickets", `SELECT ${wrong} FROM (${numbered})`)).toEqual([
      { status: 0, note: 0, other: 0 },
    ]);
    const table = lake.table("p/bronze/tickets");
    const files = [...(await table.existingSnapshot()).files.values()];
    expect(files.length).toBeGreaterThan(0);
    for (const { path, stats = "{}" } of files) {
      const told = JSON.parse(stats);
      const names = ["id", "status", "nothing", "note", "other"];
      const bounds = names.map(
        (name) =>
          `min(${name}) AS min_${name}, max(${name}) AS max_${name}, count(*) - count(${name}) AS nulls_${name}`,
      );
      const [row] = await duckdb.rows(
        `SELECT count(*)::INTEGER AS n, ${bounds.join(", ")} FROM (SELECT id::DOUBLE AS id, status, NULL::VARCHAR AS nothing, note, other FROM read_parquet(${literal(table.store.address(path) ?? "")}))`,
      );
      expect(told.numRecords).toBe(row?.n);
      for (const name of names) {
        expect(told.minValues[name] ?? null).toEqual(row?.[`min_${name}`]);
        expect(told.maxValues[name] ?? null).toEqual(row?.[`max_${name}`]);
        expect(told.nullCount[name]).toBe(Number(row?.[`nulls_${name}`]));
      }
    }
  });

  it("does not tell texts of its rows where it fails", async () => {
    await database.query(`CREATE TABLE members AS
      SELECT g AS id, 'member' || g % 9 || '@example.com' AS mail FROM generate_series(1, 500) g`);
    const lake = newLake(folder.path, duckdb);
    const broken = new Proxy(duckdb, {
      get: (target, name) => {
        if (name !== "session") return Reflect.get(target, name).bind(target);
        return async () => {
          const session = await target.session();
          const rows = session.rows.bind(session);
          // The folder that it writes to is gone.
          session.rows = (sql, parameters) =>
            rows(sql.replace(/TO '[^']*'/, "TO '/nowhere/at/all'"), parameters);
          return session;
        };
      },
    });
    const failing = Object.assign(Object.create(lake), { duckdb: broken }) as typeof lake;
    const tables = { members: { key: "none" as const } };
    const failure = await load(ingestContext(failing, database.url), {
      name: "q",
      source: postgres({ tables }),
    }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TerminalError);
    expect(JSON.stringify([failure, String(failure), inspect(failure, { depth: 9 })])).not.toContain(
      "example.com",
    );
    expect(failure).toMatchObject({ code: "DUCKDB_SQL", value: "public.members" });
  });
});
