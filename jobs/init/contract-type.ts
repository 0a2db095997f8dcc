/** Which column builder and which DuckDB type take the values that bronze has of a source column. */
import type { FoundColumn } from "./read-tables.ts";

/** `builder`: the call in a contract, as `decimal(12, 2)`; `sql`: the type to cast to. */
export interface ContractType {
  readonly builder: string;
  readonly sql: string;
}

const TEXT: ContractType = { builder: "text()", sql: "VARCHAR" };

/** Types of Postgres with a counterpart; the narrow ones are widened, which loses nothing. */
const TYPES: Readonly<Record<string, ContractType>> = {
  bool: { builder: "boolean()", sql: "BOOLEAN" },
  int2: { builder: "integer()", sql: "INTEGER" },
  int4: { builder: "integer()", sql: "INTEGER" },
  int8: { builder: "long()", sql: "BIGINT" },
  oid: { builder: "long()", sql: "BIGINT" },
  float4: { builder: "double()", sql: "DOUBLE" },
  float8: { builder: "double()", sql: "DOUBLE" },
  date: { builder: "date()", sql: "DATE" },
  timestamp: { builder: "timestamp()", sql: "TIMESTAMPTZ" },
  timestamptz: { builder: "timestamp()", sql: "TIMESTAMPTZ" },
};

/** Undefined where contracts have no builder for it: lists and bytes. */
export function contractType({ base, builtIn, category, typmod }: FoundColumn): ContractType | undefined {
  if (category === "A" || (builtIn && base === "bytea")) return undefined;
  if (!builtIn) return TEXT;
  return base === "numeric" ? decimalType(typmod) : (TYPES[base] ?? TEXT);
}

/** A numeric without precision, or with more than Delta has, is the text that Postgres prints. */
function decimalType(typmod: number): ContractType {
  if (typmod < 4) return TEXT;
  // Precision in the high half, a signed scale in the low eleven bits, both behind a header of four.
  const precision = ((typmod - 4) >> 16) & 0xffff;
  const scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
  if (precision > 38 || scale < 0 || scale > precision) return TEXT;
  return { builder: `decimal(${precision}, ${scale})`, sql: `DECIMAL(${precision}, ${scale})` };
}
