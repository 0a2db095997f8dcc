/** Random conditions of SQL over columns, some of which DuckDB refuses. */
import fc from "fast-check";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { type Column, TEXTS, valueSql } from "./skip-values.ts";

/** Literals as people write them, of all kinds that are compared with a column of this type, and some that are not. */
function literalFor(type: string): fc.Arbitrary<string> {
  const number = fc.constantFrom(
    ...[
      "0",
      "1",
      "-1",
      "2",
      "3",
      "-3",
      "1.5",
      "0.5",
      "-0.5",
      "0.1",
      "0.10",
      "1e0",
      "1.5e0",
      "1e-1",
      "-0.0",
      "127",
      "128",
      "300",
    ],
    ...[
      "9223372036854775807",
      "9223372036854775806",
      "-9223372036854775808",
      "9007199254740993",
      "16777217",
      "1e20",
    ],
    ...[
      "99999999999999999999999999999999999999",
      "'nan'::DOUBLE",
      "'inf'::DOUBLE",
      "1::BIGINT",
      "1::TINYINT",
      "0.1::FLOAT",
    ],
    ...["2.5::DECIMAL(10,1)", "1.25::DECIMAL(38,20)", "'1'", "true", "NULL", "1e400", "-2147483648"],
  );
  const time = fc.constantFrom(
    ...[
      "DATE '1970-01-01'",
      "DATE '1970-01-02'",
      "'1970-01-01'",
      "'1970-01-01 00:00:00.001'",
      "'1969-12-31'::DATE",
    ],
    ...[
      "TIMESTAMP '1970-01-01 00:00:00.000999'",
      "TIMESTAMP '1970-01-01'",
      "TIMESTAMPTZ '1970-01-01 00:00:00+00'",
    ],
    ...[
      "TIMESTAMPTZ '1970-01-01 02:00:00.001+02'",
      "'1970-01-01T00:00:00Z'::TIMESTAMPTZ",
      "DATE '9999-12-31'",
      "NULL",
    ],
    ...["'infinity'::DATE", "'-infinity'::TIMESTAMP", "TIMESTAMP '0001-01-01'"],
  );
  if (type === "string")
    return fc.oneof(fc.constantFrom(...TEXTS).map(literal), fc.constantFrom("NULL", "'ab'::VARCHAR", "1"));
  if (type === "boolean") return fc.constantFrom("true", "false", "NULL", "'true'", "1");
  if (type === "date" || type.startsWith("timestamp")) {
    return fc.oneof(time, valueSql(type));
  }
  return fc.oneof({ weight: 1, arbitrary: number }, { weight: 1, arbitrary: valueSql(type) });
}

function reference(column: Column): fc.Arbitrary<string> {
  const plain = column.path.map(identifier).join(".");
  const [first = "", second] = column.path;
  if (second === undefined) return fc.constantFrom(plain, identifier(first.toUpperCase()));
  return fc.constantFrom(
    plain,
    `(${identifier(first)}).${identifier(second)}`,
    `${identifier(first)}[${literal(second)}]`,
  );
}

function leaf(columns: readonly Column[]): fc.Arbitrary<string> {
  return fc.constantFrom(...columns).chain((column) => {
    const c = reference(column);
    const l = literalFor(column.type);
    const operator = fc.constantFrom("=", "<>", "<", "<=", ">", ">=", "!=");
    const distinct = fc.constantFrom("IS DISTINCT FROM", "IS NOT DISTINCT FROM");
    const not = fc.constantFrom("", "NOT ");
    const pattern = fc.tuple(
      fc.constantFrom(...TEXTS),
      fc.constantFrom("%", "", "_", "%b", "%%", "%b%", "_%", "\\%"),
    );
    const texts = [
      fc.tuple(c, not, pattern).map(([a, n, [p, w]]) => `${a} ${n}LIKE ${literal(p + w)}`),
      fc.tuple(c, fc.constantFrom(...TEXTS)).map(([a, p]) => `starts_with(${a}, ${literal(p)})`),
    ];
    const booleans = [c, c.map((a) => `${a} IS TRUE`), c.map((a) => `${a} IS NOT FALSE`)];
    return fc.oneof(
      fc.tuple(c, operator, l).map((parts) => parts.join(" ")),
      fc.tuple(l, operator, c).map((parts) => parts.join(" ")),
      fc.tuple(c, distinct, l).map((parts) => parts.join(" ")),
      fc
        .tuple(c, not, fc.array(l, { minLength: 1, maxLength: 3 }))
        .map(([a, n, list]) => `${a} ${n}IN (${list.join(", ")})`),
      fc.tuple(c, not, l, l).map(([a, n, low, high]) => `${a} ${n}BETWEEN ${low} AND ${high}`),
      fc.tuple(c, not).map(([a, n]) => `${a} IS ${n}NULL`),
      ...(column.type === "string" ? texts : []),
      ...(column.type === "boolean" ? booleans : []),
      fc.tuple(c, c).map(([a, b]) => `${a} = ${b}`),
      fc.constantFrom("true", "false", "NULL", "1 = 1"),
    );
  });
}

/** A condition over some of these columns. */
export function condition(columns: readonly Column[]): fc.Arbitrary<string> {
  const leaves = leaf(columns);
  return fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { depthSize: "small" },
      leaves,
      fc
        .tuple(tie("node"), fc.constantFrom("AND", "OR"), tie("node"))
        .map(([a, op, b]) => `(${a}) ${op} (${b})`),
      tie("node").map((a) => `NOT (${a})`),
    ),
  })).node;
}
