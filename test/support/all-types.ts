/** A table with a column of every type of Postgres, and values for it, the odd ones among them. */
import fc from "fast-check";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { serverMajor, type TestDatabase } from "./postgres.ts";
import * as texts from "./value-texts.ts";

/** One column and what may stand in it. */
export interface TypeCase {
  readonly column: string;
  /** Its type, in SQL. */
  readonly type: string;
  /** Texts that the type takes. */
  readonly values: fc.Arbitrary<string>;
}

/** Types and extensions of the table; run it once in a database. */
export const ALL_TYPES_SETUP = `
  CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION cube;
  CREATE TYPE mood AS ENUM ('sad', 'ok, "so"', 'happy ☺');
  CREATE TYPE pair AS (n int, note text);
  CREATE TYPE floats AS RANGE (subtype = float8);
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE DOMAIN price AS numeric(10,2);
  CREATE DOMAIN list_price AS price CHECK (VALUE IS NULL OR VALUE <> 13);
  CREATE DOMAIN birthday AS date;
  CREATE DOMAIN tags AS text[];
  CREATE SCHEMA other;
  CREATE TYPE other.date AS ENUM ('yesterday', 'tomorrow');`;

const of = (...values: string[]) => fc.constantFrom(...values);

/** By type; columns are named after them. Where not all majors know a type: the first that does. */
const CASES: readonly (readonly [type: string, values: fc.Arbitrary<string>, since?: number])[] = [
  ["bool", texts.bool],
  ["int2", texts.int2],
  ["int4", texts.int4],
  ["int8", texts.int8],
  ["oid", texts.oid],
  ["float4", texts.float4],
  ["float8", texts.float8],
  ["numeric", texts.numeric],
  ["numeric(12,2)", texts.decimal(10, 2)],
  ["numeric(38,0)", texts.decimal(38, 0)],
  ["numeric(38,38)", texts.decimal(0, 38)],
  ["numeric(18,9)", texts.decimal(9, 9)],
  ["numeric(39,2)", texts.decimal(37, 2)],
  ["numeric(5,-2)", texts.decimal(7, 0).map((n) => (n.includes("9999999") ? "9900" : n)), 15],
  ["numeric(3,5)", of("0.00123", "-0.00999", "NaN"), 15],
  ["money", of("0", "-1.50", "92233720368547758.07", "-92233720368547758.08", "1234567.89")],
  ["text", texts.text],
  ["varchar", texts.text],
  ["varchar(10)", texts.shortText(10)],
  ["char(5)", texts.shortText(5)],
  ["bpchar", texts.text],
  ["name", texts.shortText(63)],
  ['"char"', of("a", '"', ",", "\\200", "\\377", "", " ")],
  ["citext", texts.text],
  ["bytea", texts.hex],
  ["date", texts.date],
  ["time", texts.time],
  ["time(3)", texts.time],
  ["timetz", texts.timetz],
  ["timestamp", texts.timestamp],
  ["timestamp(0)", texts.timestamp],
  ["timestamptz", texts.timestamptz],
  ["timestamptz(3)", texts.timestamptz],
  ["interval", texts.interval],
  ["interval day to second(3)", texts.interval],
  ["uuid", texts.uuid],
  ["json", texts.json],
  ["jsonb", texts.json.map((value) => (value === "1e400" ? "1e300" : value))],
  ["jsonpath", of('$."a,b"[*] ? (@ > 1)', "strict $.x", '$."q\\"uote"')],
  ["xml", of("<a>1</a>", '<?xml version="1.0"?><a b="c,d"/>', "text & more".replace("&", "&amp;"), "")],
  ["inet", texts.inet],
  ["cidr", of("10.0.0.0/8", "::/0", "2001:db8::/32", "192.168.1.1/32")],
  ["macaddr", of("08:00:2b:01:02:03")],
  ["macaddr8", of("08:00:2b:01:02:03:04:05")],
  ["bit", texts.bits(1)],
  ["bit(70)", texts.bits(70)],
  ["varbit", texts.bitsUpTo(90)],
  ["varbit(20)", texts.bitsUpTo(20)],
  ["point", texts.point],
  ["line", of("{1,2,3}", "{0.1,-2,1e300}")],
  ["lseg", of("[(0,0),(1,1)]")],
  ["box", of("(1,1),(0,0)", "(0.1,2),(-1e300,0)")],
  ["path", of("[(0,0),(1,1)]", "((0,0),(1,1))")],
  ["polygon", of("((0,0),(1,1),(2,0))")],
  ["circle", of("<(0,0),1>")],
  ["tsvector", of("a fat cat", "'it''s':1A,2 'b\\\\':3", "", "'a,b':1")],
  ["tsquery", of("a & !b", "'x y' <-> z", "")],
  ["int4range", of("empty", "[1,5)", "(,)", "[3,)")],
  ["int8range", of("empty", "[1,5)")],
  ["numrange", of("empty", "(0.10,5.5]", "[NaN,NaN]")],
  ["daterange", of("[2020-01-01,infinity)", "(,2020-01-01)")],
  ["tsrange", of('["2020-01-01 00:00:00",infinity)', "empty")],
  ["tstzrange", of('["2020-01-01 00:00:00+00",)', "empty")],
  ["int4multirange", of("{}", "{[1,3),[5,8)}"), 14],
  ["datemultirange", of("{[2020-01-01,2021-01-01)}"), 14],
  ["floats", of("[0.1,NaN]", "empty")],
  ["pg_lsn", of("0/0", "FFFFFFFF/FFFFFFFF", "16/B374D848")],
  ["pg_snapshot", of("10:20:10,14,15")],
  ["txid_snapshot", of("10:20:10,14,15")],
  ["xid", of("3", "4294967295")],
  ["xid8", of("18446744073709551615")],
  ["cid", of("0", "4294967295")],
  ["tid", of("(0,1)", "(4294967295,65535)")],
  ["regclass", of("pg_class", "-", "0")],
  ["regtype", of("integer", "timestamp with time zone")],
  ["regproc", of("now", "0")],
  ["regrole", of("postgres", "0")],
  ["regnamespace", of("public")],
  ["int2vector", of("", "1 2 3")],
  ["oidvector", of("", "1 4294967295")],
  ["refcursor", of('a "cursor"', "")],
  ["mood", of("sad", 'ok, "so"', "happy ☺")],
  ["pair", of('(1,"a ""quoted"", text")', "(,)", '(,"")', "(-1,NULL)")],
  ["hstore", of("", '"a"=>"1", "b"=>NULL', '"q\\"x"=>"c,\\\\d"', "a=>NULL")],
  ["ltree", of("Top.Science", "")],
  ["cube", of("(1,2),(3,4)", "(0.1)")],
  ["positive", of("1", "2147483647")],
  ["list_price", of("0", "99999999.99", "NaN", "-1.5")],
  ["birthday", texts.date],
  ["tags", texts.arrayOf(texts.text)],
  ["other.date", of("yesterday", "tomorrow")],
  ["bool[]", texts.arrayOf(texts.bool)],
  ["int2[]", texts.arrayOf(texts.int2)],
  ["int4[]", texts.arrayOf(texts.int4)],
  ["int8[]", texts.arrayOf(texts.int8)],
  ["float4[]", texts.arrayOf(texts.float4)],
  ["float8[]", texts.arrayOf(texts.float8)],
  ["numeric(12,2)[]", texts.arrayOf(texts.decimal(10, 2))],
  ["numeric[]", texts.arrayOf(texts.decimal(50, 3))],
  ["date[]", texts.arrayOf(texts.date)],
  ["timestamp[]", texts.arrayOf(texts.timestamp)],
  ["timestamptz[]", texts.arrayOf(texts.timestamptz)],
  ["text[]", texts.arrayOf(texts.text)],
  ["varchar(10)[]", texts.arrayOf(texts.shortText(10))],
  ["uuid[]", texts.arrayOf(texts.uuid)],
  ["list_price[]", texts.arrayOf(of("1.5", "NaN", "-99999999.99"))],
  ["tags[]", of("{}", '{"{a,\\"b c\\"}",NULL}')],
  ["json[]", of('{"{\\"a\\": 1}",NULL}', "{}")],
  ["interval[]", of('{"1 day",NULL}')],
  ["bytea[]", of('{"\\\\x00ff",NULL}')],
  ["box[]", of("{(1,1),(0,0);(2,2),(1,1)}")],
  ["mood[]", of('{sad,"ok, \\"so\\""}', "{}")],
  ["pair[]", of('{"(1,x)",NULL}')],
  ["citext[]", of('{A,"b c"}')],
];

/** Those that the server knows. */
export const ALL_TYPES: readonly TypeCase[] = CASES.filter(([, , since = 0]) => since <= serverMajor).map(
  ([type, values]) => ({ column: type, type, values }),
);

/** A row of the table: a text or null for each column. */
export type TypesRow = readonly (string | null)[];

/** Creates a table with a column of each type behind an `id`, and with rows, whose ids are their places. */
export async function createAllTypes(
  database: Pick<TestDatabase, "query">,
  table: string,
  rows: readonly TypesRow[],
): Promise<void> {
  const columns = ALL_TYPES.map(({ column, type }) => `${identifier(column)} ${type}`);
  await database.query(`CREATE TABLE ${identifier(table)} (id bigint PRIMARY KEY, ${columns.join(", ")})`);
  const insert = `INSERT INTO ${identifier(table)} VALUES ($1, ${ALL_TYPES.map((_, i) => `$${i + 2}`).join(", ")})`;
  for (const [id, row] of rows.entries()) await database.query(insert, [id, ...row]);
}

/** Rows whose values are drawn for each column on its own, null now and then. */
export const typesRow: fc.Arbitrary<TypesRow> = fc.tuple(
  ...ALL_TYPES.map(({ values }) => fc.option(values, { freq: 8, nil: null })),
);
