/** Types of the source's columns, and how its columns become those of bronze. `docs/types.md` has the table. */
import type pg from "pg";
import { z } from "zod";
import type { DataType } from "../../../lakehouse/delta/schema.ts";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import { exactSql } from "./types/exact.ts";
import { type BaseType, type Misplaced, placeOf } from "./types/place.ts";
import { typeName } from "./types/type-name.ts";

/** A type of the source, domains taken for what they are made of. */
export interface SourceType extends BaseType {
  /** As `format_type` prints it without modifier; of a domain its own name. */
  readonly display: string;
  /** `pg_type.typtype` of the base type: `b` base, `c` composite, `e` enum, `r` range, `m` multirange, `p` pseudo. */
  readonly kind: string;
  /** `pg_type.typcategory` of the base type. */
  readonly category: string;
  /** The modifier that a domain gives it; -1 where the column's own holds. */
  readonly typmod: number;
  readonly element?: SourceType | undefined;
  /** SQL name of the function that prints values; undefined where a binary COPY sends them as that text anyway. */
  readonly printedBy?: string | undefined;
}

/** One column on its way from Postgres to bronze. */
export interface ColumnMapping {
  readonly name: string;
  /** Number of the column at the source, where it is known. */
  readonly attnum?: number | undefined;
  /** As `format_type` prints it: `numeric(10,2)`. */
  readonly sourceType: string;
  /** Name in `pg_type` of the type that the values are printed by; for arrays that of the elements with `[]`. */
  readonly baseType: string;
  readonly deltaType: DataType;
  /** Type of the CSV field for DuckDB's reader in a fast read; in a careful read all are VARCHAR. */
  readonly csvType: string;
  /** SQL over the CSV field of a fast read, named as the column; raises an error where the value has no place. */
  readonly fast: string;
  /** SQL over the CSV field as text, named as the column; NULL where the value has no place. */
  readonly careful: string;
  /** A cheaper way to ask for values without place; void where `careful` is another than it was made for. */
  readonly misplaced?: Misplaced | undefined;
  /** SQL name of the function that prints values; undefined where a binary COPY sends them as that text anyway. */
  readonly printedBy?: string | undefined;
  /** Computed by the source from other columns. pgoutput does not send it before Postgres 18. */
  readonly generated?: boolean | undefined;
}

/**
 * Maps a column. `type`: undefined where the source no longer knows it; what has no exact counterpart stays the text
 * that Postgres prints, and nothing is rounded. `typmod`: `pg_attribute.atttypmod`.
 */
export function mapColumn(
  name: string,
  type: SourceType | undefined,
  typmod: number,
  attnum?: number,
): ColumnMapping {
  const modified = type && withTypmod(type, typmod);
  const { from, ...place } = placeOf(modified, name, identifier(name));
  const shown = type?.element ?? type;
  return {
    name,
    ...(attnum === undefined ? {} : { attnum }),
    sourceType: type && shown ? typeName(type.display, shown.name, typmod) : "unknown",
    baseType: from,
    printedBy: type?.printedBy,
    ...place,
  };
}

/** SQL over the text of a column's value: the value in a column of another type, or NULL where it has no place there. */
export function valueInSql(column: ColumnMapping, target: DataType): string {
  return exactSql(identifier(column.name), target, column.baseType);
}

/** A domain's modifier goes before the column's; that of an array is for its elements. */
function withTypmod(type: SourceType, typmod: number): BaseType {
  const own = type.typmod >= 0 ? type.typmod : typmod;
  return { ...type, typmod: own, element: type.element && withTypmod(type.element, own) };
}

const typeRow = z.object({
  oid: z.number(),
  name: z.string(),
  display: z.string(),
  builtIn: z.boolean(),
  kind: z.string(),
  category: z.string(),
  typmod: z.number(),
  base: z.number(),
  element: z.number().nullable(),
  printedBy: z.string().nullable(),
});
type TypeRow = z.infer<typeof typeRow>;

// int2vector, point and others have a typelem and are no arrays: only an array is its element's typarray.
const TYPES_SQL = `
  SELECT t.oid::int8::float8 AS oid, t.typname::text AS name, format_type(t.oid, NULL) AS display,
         n.nspname = 'pg_catalog' AS "builtIn", t.typtype::text AS kind, t.typcategory::text AS category,
         t.typtypmod AS typmod, t.typbasetype::int8::float8 AS base, e.oid::int8::float8 AS element,
         CASE WHEN s.proname IS NULL OR s.proname NOT IN
                   ('textsend', 'varcharsend', 'bpcharsend', 'namesend', 'json_send', 'enum_send', 'citextsend')
              THEN format('%I.%I', q.nspname, o.proname) END AS "printedBy"
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    JOIN pg_proc o ON o.oid = t.typoutput JOIN pg_namespace q ON q.oid = o.pronamespace
    LEFT JOIN pg_proc s ON s.oid = t.typsend
    LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
   WHERE t.oid = ANY ($1::oid[])`;

/** Looks types up in the source. Ids that it does not know are absent. */
export async function typesOf(
  client: pg.Client,
  oids: readonly number[],
): Promise<ReadonlyMap<number, SourceType>> {
  const rows = new Map<number, TypeRow>();
  // What domains and arrays are made of comes in the next turn.
  for (let wanted = [...new Set(oids)]; wanted.length > 0; ) {
    const found = z.array(typeRow).parse((await client.query(TYPES_SQL, [wanted])).rows);
    for (const row of found) rows.set(row.oid, row);
    const parts = found.flatMap(({ base, element }) => [base, element ?? 0]);
    wanted = [...new Set(parts)].filter((oid) => oid !== 0 && !rows.has(oid));
  }
  const types = new Map<number, SourceType>();
  for (const oid of oids) {
    const type = resolveType(rows, oid);
    if (type) types.set(oid, type);
  }
  return types;
}

function resolveType(rows: ReadonlyMap<number, TypeRow>, oid: number): SourceType | undefined {
  const row = rows.get(oid);
  if (row === undefined) return undefined;
  if (row.kind === "d") {
    const base = resolveType(rows, row.base);
    return base && { ...base, display: row.display, typmod: base.typmod >= 0 ? base.typmod : row.typmod };
  }
  const { name, display, builtIn, kind, category } = row;
  const element = row.element === null ? undefined : resolveType(rows, row.element);
  const printedBy = row.printedBy ?? undefined;
  return { name, display, builtIn, kind, category, typmod: -1, element, printedBy };
}
