/** Rows on their way into a table: which columns they bring, and what becomes of the table's. */
import type { Session } from "../../duckdb/duckdb.ts";
import { identifier } from "../../duckdb/quote.ts";
import { TerminalError } from "../../errors.ts";
import type { Action, Metadata } from "../actions.ts";
import { checkNames, findField, mergeColumns, unknownMembers } from "../evolve.ts";
import { inferSchema, inferType } from "../infer-schema.ts";
import { addColumns } from "../metadata.ts";
import { duckdbType, type StructType } from "../schema.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Source, sessionOf, withSource } from "../source.ts";
import type { Staged } from "../stage.ts";
import type { DeltaTable } from "../table.ts";

export interface Incoming {
  readonly staged: Staged;
  /** The table as the commit of these rows leaves it. */
  readonly after: Pick<Snapshot, "metadata" | "schema">;
  /** The table's new metadata, where the rows brought columns. */
  readonly actions: readonly Action[];
}

/** Stages a source in the columns of the table, grown by what the source brings; `where` must hold for every row. */
export async function stageIncoming<T>(
  table: DeltaTable,
  base: Snapshot,
  source: Source,
  { evolveSchema = false, where }: { readonly evolveSchema?: boolean; readonly where?: string | undefined },
  work: (incoming: Incoming) => Promise<T>,
): Promise<T> {
  return withSource(source, base.schema, async (sql) => {
    const given = sessionOf(source);
    const session = given ?? (await table.duckdb.session());
    try {
      const { metadata, schema, given: columns } = await shapeFor(session, sql, base, evolveSchema);
      const after = { metadata, schema };
      const rules = where === undefined ? [] : [{ name: where, sql: where }];
      const staged = await table.stage(session, alignedSql(sql, schema, columns), after, { rules });
      const actions = metadata === base.metadata ? [] : [{ metaData: metadata }];
      return await work({ staged, after, actions });
    } finally {
      if (given === undefined) await session.close();
    }
  });
}

/** The table's metadata and columns once these rows are in it, and which of the columns the rows have. */
export async function shapeFor(
  session: Session,
  sql: string,
  base: Snapshot,
  evolve: boolean,
): Promise<{ metadata: Metadata; schema: StructType; given: StructType }> {
  const described = await session.describe(sql);
  checkNames(described.map(({ name }) => name));
  for (const { name, type } of described) {
    const own = findField(base.schema, name);
    if (own === undefined || typeof own.type === "string") continue;
    const unknown = unknownMembers(own.type, inferType(type));
    if (unknown.length > 0) throw unknownInside(own.name, unknown);
  }
  // Only new columns need a Delta type of their own; the others are cast to the table's.
  const grown = mergeColumns(
    base.schema,
    inferSchema(described.filter(({ name }) => findField(base.schema, name) === undefined)),
    evolve,
  );
  const has = new Set(described.map(({ name }) => name.toLowerCase()));
  const given = { ...grown, fields: grown.fields.filter((f) => has.has(f.name.toLowerCase())) };
  if (grown === base.schema) return { metadata: base.metadata, schema: base.schema, given };
  return { ...addColumns(base.metadata, base.schema, grown), given };
}

function unknownInside(column: string, members: readonly string[]): TerminalError {
  return new TerminalError(`column ${column} of the rows has members that the table's does not have`, {
    code: "DELTA_UNKNOWN_COLUMNS",
    value: members.join(", "),
    next: "Leave them out, or keep them in a column of their own: columns can be added, members not yet.",
  });
}

/** The source in the table's columns: those that it does not have are NULL. */
export function alignedSql(sql: string, schema: StructType, given: StructType): string {
  const has = new Set(given.fields.map((f) => f.name));
  const columns = schema.fields.map((f) =>
    has.has(f.name) ? identifier(f.name) : `NULL::${duckdbType(f.type)} AS ${identifier(f.name)}`,
  );
  return `SELECT ${columns.join(", ")} FROM (${sql}\n)`;
}
