/** The Delta schema of a query's result, from what DuckDB says of its columns. */
import { TerminalError } from "../errors.ts";
import { type DataType, field, type StructType } from "./schema.ts";

const PRIMITIVES: Readonly<Record<string, string>> = {
  BOOLEAN: "boolean",
  TINYINT: "byte",
  SMALLINT: "short",
  INTEGER: "integer",
  BIGINT: "long",
  // The next wider signed type holds every value.
  UTINYINT: "short",
  USMALLINT: "integer",
  UINTEGER: "long",
  UBIGINT: "decimal(20,0)",
  // Sums of integers: 38 digits are what Delta has, and more than sums of 64-bit integers need.
  HUGEINT: "decimal(38,0)",
  FLOAT: "float",
  DOUBLE: "double",
  VARCHAR: "string",
  BLOB: "binary",
  DATE: "date",
  TIMESTAMP: "timestamp_ntz",
  TIMESTAMP_S: "timestamp_ntz",
  TIMESTAMP_MS: "timestamp_ntz",
  "TIMESTAMP WITH TIME ZONE": "timestamp",
};

/** The schema that holds rows of these columns; all are nullable. Rejects types that Delta has no place for. */
export function inferSchema(
  columns: readonly { readonly name: string; readonly type: string }[],
): StructType {
  return { type: "struct", fields: columns.map(({ name, type }) => field(name, inferType(type))) };
}

/** The Delta type that holds a DuckDB type without loss. */
export function inferType(type: string): DataType {
  const parser = new TypeText(type);
  const parsed = parser.type();
  if (!parser.atEnd()) throw noDeltaType(type);
  return parsed;
}

/** Reads DuckDB's notation: `DECIMAL(12,2)`, `STRUCT(a INTEGER, "b c" VARCHAR[])`, `MAP(VARCHAR, DOUBLE)`. */
class TypeText {
  private rest: string;
  private readonly whole: string;

  constructor(text: string) {
    this.whole = text;
    this.rest = text;
  }

  atEnd(): boolean {
    return this.rest === "";
  }

  type(): DataType {
    let type = this.unit();
    // Arrays of a fixed size are lists to Delta.
    while (this.take(/^\[\d*\]/) !== undefined)
      type = { type: "array", elementType: type, containsNull: true };
    return type;
  }

  private unit(): DataType {
    if (this.take(/^STRUCT\(/) !== undefined) return this.struct();
    if (this.take(/^MAP\(/) !== undefined) {
      const keyType = this.type();
      this.expect(/^,\s*/);
      const valueType = this.type();
      this.expect(/^\)/);
      return { type: "map", keyType, valueType, valueContainsNull: true };
    }
    const decimal = this.take(/^DECIMAL\(\d+,\d+\)/);
    if (decimal !== undefined) return decimal.toLowerCase();
    const name = this.take(/^[A-Z_]+( WITH TIME ZONE)?/) ?? "";
    const primitive = PRIMITIVES[name];
    if (primitive === undefined) throw noDeltaType(this.whole);
    return primitive;
  }

  private struct(): StructType {
    const fields = [];
    do {
      const quoted = this.take(/^"(?:[^"]|"")*"/);
      const name = quoted === undefined ? this.expect(/^[^\s"]+/) : quoted.slice(1, -1).replaceAll('""', '"');
      this.expect(/^\s+/);
      fields.push(field(name, this.type()));
    } while (this.take(/^,\s*/) !== undefined);
    this.expect(/^\)/);
    return { type: "struct", fields };
  }

  private take(pattern: RegExp): string | undefined {
    const match = pattern.exec(this.rest);
    if (match === null) return undefined;
    this.rest = this.rest.slice(match[0].length);
    return match[0];
  }

  private expect(pattern: RegExp): string {
    const found = this.take(pattern);
    if (found === undefined) throw noDeltaType(this.whole);
    return found;
  }
}

function noDeltaType(type: string): TerminalError {
  return new TerminalError(`a column of type ${type} has no place in a Delta table`, {
    code: "DELTA_UNSUPPORTED_TYPE",
    value: type,
    allowed: Object.keys(PRIMITIVES).join(", "),
    next: "Cast it in the query, for example to VARCHAR or DECIMAL(38,0).",
  });
}
