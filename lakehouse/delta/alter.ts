/** Changing what a table is: columns, comments, properties, constraints. No data file is rewritten. */
import { identifier } from "../duckdb/quote.ts";
import { TerminalError } from "../errors.ts";
import type { Metadata } from "./actions.ts";
import { type Alteration, alterColumns } from "./alter-columns.ts";
import { attempt } from "./attempt.ts";
import { CONSTRAINT_PREFIX } from "./constraints.ts";
import { assignIds, lastId, MAX_COLUMN_ID } from "./mapping.ts";
import { withSchema } from "./metadata.ts";
import { checkProperties, featuresFor } from "./properties.ts";
import { protocolWith } from "./protocol.ts";
import { scannable, scanSql } from "./scan.ts";
import type { StructType } from "./schema.ts";
import { parsePredicate } from "./skip/parse-predicate.ts";
import type { Snapshot } from "./snapshot.ts";
import type { DeltaTable } from "./table.ts";

/** Applies alterations in order, in one commit. Resolves to the new version. */
export async function alterTable(table: DeltaTable, ...alterations: readonly Alteration[]): Promise<number> {
  const done = await attempt(table.store.root, async () => {
    const base = await table.existingSnapshot();
    let state: Altered = { metadata: base.metadata, schema: base.schema };
    for (const alteration of alterations) state = await alterOnce(table, base, state, alteration);
    const metadata = withSchema(state.metadata, state.schema);
    const protocol = protocolWith(featuresFor(metadata.configuration, state.schema), base.protocol);
    const outcome = await table.commit({
      base,
      operation: operationOf(alterations),
      operationParameters: { alterations },
      actions: [...(protocol === base.protocol ? [] : [{ protocol }]), { metaData: metadata }],
      reads: alterations.some(looksAtRows) ? "table" : "nothing",
    });
    return { outcome };
  });
  if (done === undefined) throw new RangeError("an alteration always commits");
  return done.version;
}

interface Altered {
  readonly metadata: Metadata;
  readonly schema: StructType;
}

async function alterOnce(
  table: DeltaTable,
  base: Snapshot,
  state: Altered,
  alteration: Alteration,
): Promise<Altered> {
  if ("setProperties" in alteration) return withProperties(state, alteration.setProperties);
  if ("addConstraint" in alteration) return withConstraint(table, base, state, alteration.addConstraint);
  if ("dropConstraint" in alteration) {
    const key = CONSTRAINT_PREFIX + alteration.dropConstraint;
    if (!(key in state.metadata.configuration)) throw noConstraint(alteration.dropConstraint, state.metadata);
    const { [key]: _dropped, ...configuration } = state.metadata.configuration;
    return { ...state, metadata: { ...state.metadata, configuration } };
  }
  if ("describe" in alteration)
    return { ...state, metadata: { ...state.metadata, description: alteration.describe } };
  if ("setNotNull" in alteration)
    await refuseRows(table, base, state, `${identifier(alteration.setNotNull)} IS NULL`, "are null");
  const used =
    "dropColumn" in alteration
      ? alteration.dropColumn
      : "renameColumn" in alteration
        ? alteration.renameColumn.from
        : undefined;
  if (used !== undefined) await refuseConstrained(table, state, used);
  return alterColumns(state.metadata, state.schema, alteration);
}

/** What writers record of a table: ids and times that others would contradict. */
const KEPT: ReadonlySet<string> = new Set([
  MAX_COLUMN_ID,
  "delta.inCommitTimestampEnablementTimestamp",
  "delta.inCommitTimestampEnablementVersion",
]);

function withProperties(
  { metadata, schema }: Altered,
  properties: Readonly<Record<string, string | null>>,
): Altered {
  const configuration: Record<string, string> = { ...metadata.configuration };
  for (const [key, value] of Object.entries(properties)) {
    if (value === null) delete configuration[key];
    else configuration[key] = value;
  }
  const stated = Object.keys(properties).find((key) => key.startsWith(CONSTRAINT_PREFIX));
  if (stated !== undefined) {
    throw new TerminalError(`${stated} is a constraint, which rows must fulfil that are there already`, {
      code: "DELTA_BAD_PROPERTY",
      value: stated,
      next: "Add it with addConstraint, or take it away with dropConstraint.",
    });
  }
  const kept = Object.keys(properties).find((key) => KEPT.has(key));
  if (kept !== undefined) {
    throw new TerminalError(`${kept} is kept by the table's writers`, {
      code: "DELTA_BAD_PROPERTY",
      value: kept,
      next: "Leave it out.",
    });
  }
  checkProperties(
    Object.fromEntries(Object.entries(properties).flatMap(([k, v]) => (v === null ? [] : [[k, v]]))),
  );
  const [before, after] = [metadata, { configuration }].map(
    (m) => m.configuration["delta.columnMapping.mode"] ?? "none",
  );
  if (before !== after && !(before === "none" && after === "name")) {
    throw new TerminalError(`column mapping cannot go from ${before} to ${after}`, {
      code: "DELTA_BAD_PROPERTY",
      value: after,
      allowed: "from none to name",
    });
  }
  if (before === after) return { metadata: { ...metadata, configuration }, schema };
  const mapped = assignIds(schema, lastId(metadata.configuration, schema), true);
  configuration[MAX_COLUMN_ID] = String(mapped.maxColumnId);
  return { metadata: { ...metadata, configuration }, schema: mapped.schema };
}

async function withConstraint(
  table: DeltaTable,
  base: Snapshot,
  { metadata, schema }: Altered,
  { name, check }: { readonly name: string; readonly check: string },
): Promise<Altered> {
  const { unresolved, isRowwise } = await parsePredicate(table.duckdb, check, schema);
  if (
    !isRowwise ||
    unresolved.length > 0 ||
    !/^\w+$/.test(name) ||
    CONSTRAINT_PREFIX + name in metadata.configuration
  ) {
    throw new TerminalError(`constraint ${name} cannot be added`, {
      code: "DELTA_BAD_CONSTRAINT",
      value: isRowwise ? unresolved.join(", ") || name : check,
      allowed: `a new name of letters, digits and _, and an expression about one row over ${schema.fields.map((f) => f.name).join(", ")}`,
    });
  }
  await refuseRows(
    table,
    base,
    { metadata, schema },
    `(${check}\n) IS NOT TRUE`,
    `break the constraint ${name}`,
  );
  return {
    schema,
    metadata: {
      ...metadata,
      configuration: { ...metadata.configuration, [CONSTRAINT_PREFIX + name]: check },
    },
  };
}

/** A rule that begins to hold must hold for the rows that are there. */
async function refuseRows(
  table: DeltaTable,
  base: Snapshot,
  state: Altered,
  where: string,
  what: string,
): Promise<void> {
  const scan = await scanSql(table.store, scannable({ ...base, ...state }));
  const [found] = await table.duckdb.rows(
    `SELECT count(*) AS n, any_value(to_json(_ingot_row))::VARCHAR AS example FROM (${scan}) AS _ingot_row WHERE ${where}`,
  );
  if (Number(found?.n) === 0) return;
  throw new TerminalError(`${found?.n} rows of ${table.store.root} ${what}`, {
    code: "DELTA_CONSTRAINT_BROKEN",
    value: String(found?.example).slice(0, 500),
    next: "Correct or delete those rows first.",
  });
}

/** A column that a constraint names can neither go nor change its name. */
async function refuseConstrained(
  table: DeltaTable,
  { metadata, schema }: Altered,
  column: string,
): Promise<void> {
  for (const [key, check] of Object.entries(metadata.configuration)) {
    if (!key.startsWith(CONSTRAINT_PREFIX)) continue;
    const { columns } = await parsePredicate(table.duckdb, check.replaceAll("`", '"'), schema);
    if (!columns.some(([name]) => name?.toLowerCase() === column.toLowerCase())) continue;
    throw new TerminalError(
      `column ${column} is named by the constraint ${key.slice(CONSTRAINT_PREFIX.length)}`,
      {
        code: "DELTA_COLUMN_IN_USE",
        value: check,
        next: "Drop the constraint first.",
      },
    );
  }
}

function noConstraint(name: string, { configuration }: Metadata): TerminalError {
  const names = Object.keys(configuration).flatMap((key) =>
    key.startsWith(CONSTRAINT_PREFIX) ? key.slice(CONSTRAINT_PREFIX.length) : [],
  );
  return new TerminalError(`there is no constraint ${name}`, {
    code: "DELTA_BAD_CONSTRAINT",
    value: name,
    allowed: names.join(", ") || "the table has none",
  });
}

const looksAtRows = (alteration: Alteration) => "setNotNull" in alteration || "addConstraint" in alteration;

function operationOf(alterations: readonly Alteration[]): string {
  const [first] = alterations;
  const kinds = new Set(alterations.flatMap((alteration) => Object.keys(alteration)));
  if (first === undefined || kinds.size > 1) return "ALTER TABLE";
  const names: Readonly<Record<string, string>> = {
    addColumn: "ADD COLUMNS",
    renameColumn: "RENAME COLUMN",
    dropColumn: "DROP COLUMNS",
    setProperties: "SET TBLPROPERTIES",
    addConstraint: "ADD CONSTRAINT",
    dropConstraint: "DROP CONSTRAINT",
  };
  return names[Object.keys(first)[0] ?? ""] ?? "CHANGE COLUMN";
}
