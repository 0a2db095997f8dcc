/** The schema of a table (PROTOCOL.md, "Schema Serialization Format") and its counterpart in DuckDB. */
import { z } from "zod";
import { identifier } from "../duckdb/quote.ts";
import { TerminalError } from "../errors.ts";

export interface StructType {
  readonly type: "struct";
  readonly fields: readonly StructField[];
}
export interface StructField {
  readonly name: string;
  readonly type: DataType;
  readonly nullable: boolean;
  readonly metadata: Readonly<Record<string, unknown>>;
}
interface ArrayType {
  readonly type: "array";
  readonly elementType: DataType;
  readonly containsNull: boolean;
}
interface MapType {
  readonly type: "map";
  readonly keyType: DataType;
  readonly valueType: DataType;
  readonly valueContainsNull: boolean;
}
/** A primitive type's name, or a nested type. */
export type DataType = string | StructType | ArrayType | MapType;

const dataTypeSchema: z.ZodType<DataType> = z.lazy(() =>
  z.union([
    z.string(),
    structSchema,
    z.object({ type: z.literal("array"), elementType: dataTypeSchema, containsNull: z.boolean() }),
    z.object({
      type: z.literal("map"),
      keyType: dataTypeSchema,
      valueType: dataTypeSchema,
      valueContainsNull: z.boolean(),
    }),
  ]),
);
const structSchema: z.ZodType<StructType> = z.object({
  type: z.literal("struct"),
  fields: z.array(
    z.object({
      name: z.string(),
      type: dataTypeSchema,
      nullable: z.boolean(),
      metadata: z.record(z.string(), z.unknown()).default({}),
    }),
  ),
});

/** Parses `metaData.schemaString`. */
export function parseSchema(schemaString: string, where: string): StructType {
  let json: unknown;
  try {
    json = JSON.parse(schemaString);
  } catch {
    json = undefined;
  }
  const parsed = structSchema.safeParse(json);
  if (!parsed.success) {
    throw new TerminalError(`${where} has a schema that cannot be read`, {
      code: "DELTA_BAD_SCHEMA",
      value: schemaString.slice(0, 500),
      next: "The metadata of the table is damaged; read an earlier version with --version.",
    });
  }
  return parsed.data;
}

const PRIMITIVES: Readonly<Record<string, string>> = {
  string: "VARCHAR",
  long: "BIGINT",
  integer: "INTEGER",
  short: "SMALLINT",
  byte: "TINYINT",
  float: "FLOAT",
  double: "DOUBLE",
  boolean: "BOOLEAN",
  binary: "BLOB",
  date: "DATE",
  timestamp: "TIMESTAMP WITH TIME ZONE",
  timestamp_ntz: "TIMESTAMP",
  variant: 'STRUCT("value" BLOB, "metadata" BLOB)',
  // Columns of no type hold nothing but null, and files do not have them.
  void: "INTEGER",
  null: "INTEGER",
};
/** Types that are text with a bound on its length. */
const BOUNDED_TEXT = /^(var)?char\(\s*\d+\s*\)$/;
const DECIMAL = /^decimal\((\d+),\s*(-?\d+)\)$/;

/**
 * The DuckDB type that holds a Delta type without loss. Throws `DELTA_UNSUPPORTED_TYPE` for a type that has none.
 */
export function duckdbType(type: DataType): string {
  if (typeof type === "string") return primitiveType(type);
  if (type.type === "array") return `${duckdbType(type.elementType)}[]`;
  if (type.type === "map") return `MAP(${duckdbType(type.keyType)}, ${duckdbType(type.valueType)})`;
  if (type.fields.length === 0) throw unsupported("struct without fields");
  return `STRUCT(${type.fields.map((f) => `${identifier(f.name)} ${duckdbType(f.type)}`).join(", ")})`;
}

function primitiveType(type: string): string {
  const known = PRIMITIVES[type];
  if (known !== undefined) return known;
  if (type === "decimal") return "DECIMAL(10,0)";
  if (DECIMAL.test(type)) return type.toUpperCase();
  if (BOUNDED_TEXT.test(type) || /^string collate /i.test(type)) return "VARCHAR";
  throw unsupported(type);
}

function unsupported(type: string): TerminalError {
  return new TerminalError(`columns of type ${type} cannot be read`, {
    code: "DELTA_UNSUPPORTED_TYPE",
    value: type,
    allowed: `${Object.keys(PRIMITIVES).join(", ")}, decimal, char, varchar, array, map, struct`,
    next: "Read the table with an engine that knows this type, or write the column as another type.",
  });
}

/** Rows of `sql` in these columns and no others, as values of their types; those not in `given` are NULL. */
export function typedSql(sql: string, fields: readonly StructField[], given = fields): string {
  return fields.length === 0 ? sql : `SELECT ${typedColumns(fields, given)} FROM (${sql}\n)`;
}

/** These columns as values of their types, for a SELECT; those not in `given` are NULL. */
export function typedColumns(fields: readonly StructField[], given = fields): string {
  const has = new Set(given.map((f) => f.name));
  return fields
    .map((f) => {
      const name = identifier(f.name);
      return `${has.has(f.name) ? name : "NULL"}::${duckdbType(f.type)} AS ${name}`;
    })
    .join(", ");
}

/** A field without nesting, as a new table has them. */
export function field(name: string, type: DataType, nullable = true, comment?: string): StructField {
  return { name, type, nullable, metadata: comment === undefined ? {} : { comment } };
}

/** Whether two schemas hold the same columns: names and types in order; comments do not count. */
export function sameColumns(a: StructType, b: StructType): boolean {
  const shape = (s: StructType) => JSON.stringify(s.fields.map((f) => [f.name, duckdbType(f.type)]));
  return shape(a) === shape(b);
}
