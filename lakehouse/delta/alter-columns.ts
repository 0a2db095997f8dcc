/** Changes of a table's columns that leave its files as they are. */
import { TerminalError } from "../errors.ts";
import type { Metadata } from "./actions.ts";
import { checkColumnNames, checkNames, existingField, findField, widens } from "./evolve.ts";
import { addColumns } from "./metadata.ts";
import { type DataType, duckdbType, type StructField, type StructType } from "./schema.ts";

/** One change of what a table is. */
export type Alteration = ColumnAlteration | TableAlteration;

export type ColumnAlteration =
  /** A new column, NULL in the rows that are there. */
  | { readonly addColumn: { readonly name: string; readonly type: DataType; readonly comment?: string } }
  /** A type that holds all values of the former; needs `delta.enableTypeWidening`. */
  | { readonly widenColumn: { readonly name: string; readonly type: DataType } }
  /** Needs `delta.columnMapping.mode`. */
  | { readonly renameColumn: { readonly from: string; readonly to: string } }
  /** The values stay in the files, unread; a later column of the same name is another. Needs column mapping. */
  | { readonly dropColumn: string }
  | { readonly dropNotNull: string }
  | { readonly setNotNull: string }
  | { readonly commentColumn: { readonly name: string; readonly comment: string } };

type TableAlteration =
  /** `null` takes a property away. */
  | { readonly setProperties: Readonly<Record<string, string | null>> }
  /** SQL that must be true for every row. */
  | { readonly addConstraint: { readonly name: string; readonly check: string } }
  | { readonly dropConstraint: string }
  | { readonly describe: string };

interface Altered {
  readonly metadata: Metadata;
  readonly schema: StructType;
}

/** The table after one change of its columns. */
export function alterColumns(metadata: Metadata, schema: StructType, alteration: ColumnAlteration): Altered {
  if ("addColumn" in alteration) return add(metadata, schema, alteration.addColumn);
  if ("widenColumn" in alteration) return widen(metadata, schema, alteration.widenColumn);
  if ("renameColumn" in alteration) return rename(metadata, schema, alteration.renameColumn);
  if ("dropColumn" in alteration) return drop(metadata, schema, alteration.dropColumn);
  if ("dropNotNull" in alteration)
    return change(metadata, schema, alteration.dropNotNull, (f) => ({ ...f, nullable: true }));
  if ("setNotNull" in alteration)
    return change(metadata, schema, alteration.setNotNull, (f) => ({ ...f, nullable: false }));
  const { name, comment } = alteration.commentColumn;
  return change(metadata, schema, name, (f) => ({ ...f, metadata: { ...f.metadata, comment } }));
}

function add(
  metadata: Metadata,
  schema: StructType,
  column: { name: string; type: DataType; comment?: string },
): Altered {
  const { name, type, comment } = column;
  duckdbType(type);
  if (findField(schema, name) !== undefined) {
    throw new TerminalError(`there is a column ${name} already`, {
      code: "DELTA_COLUMN_EXISTS",
      value: name,
    });
  }
  const added = { name, type, nullable: true, metadata: comment === undefined ? {} : { comment } };
  checkColumnNames({ type: "struct", fields: [added] });
  return addColumns(metadata, schema, { ...schema, fields: [...schema.fields, added] });
}

function widen(
  metadata: Metadata,
  schema: StructType,
  { name, type }: { name: string; type: DataType },
): Altered {
  if (metadata.configuration["delta.enableTypeWidening"] !== "true")
    throw needs("delta.enableTypeWidening", "true");
  const former = existingField(schema, name);
  if (!widens(former.type, type)) {
    throw new TerminalError(`column ${name} cannot become ${JSON.stringify(type)}`, {
      code: "DELTA_BAD_WIDENING",
      value: JSON.stringify(former.type),
      allowed: "a type that holds all of its values: a longer integer, double, a decimal of more digits",
    });
  }
  const changes = Array.isArray(former.metadata["delta.typeChanges"])
    ? former.metadata["delta.typeChanges"]
    : [];
  const typeChanges = [...changes, { fromType: former.type, toType: type }];
  return change(metadata, schema, name, (f) => ({
    ...f,
    type,
    metadata: { ...f.metadata, "delta.typeChanges": typeChanges },
  }));
}

function rename(metadata: Metadata, schema: StructType, { from, to }: { from: string; to: string }): Altered {
  needsMapping(metadata);
  const former = existingField(schema, from);
  const taken = findField(schema, to);
  if (taken !== undefined && taken !== former) {
    throw new TerminalError(`there is a column ${to} already`, { code: "DELTA_COLUMN_EXISTS", value: to });
  }
  checkNames([to]);
  const partitionColumns = metadata.partitionColumns.map((name) => (name === former.name ? to : name));
  return change({ ...metadata, partitionColumns }, schema, from, (f) => ({ ...f, name: to }));
}

function drop(metadata: Metadata, schema: StructType, name: string): Altered {
  needsMapping(metadata);
  const former = existingField(schema, name);
  const fields = schema.fields.filter((f) => f !== former);
  if (metadata.partitionColumns.includes(former.name) || fields.length === 0) {
    throw new TerminalError(`column ${name} cannot be dropped`, {
      code: "DELTA_COLUMN_IN_USE",
      value: name,
      allowed: "columns that do not partition the table, and not the last one",
    });
  }
  return { metadata, schema: { ...schema, fields } };
}

function change(
  metadata: Metadata,
  schema: StructType,
  name: string,
  edit: (f: StructField) => StructField,
): Altered {
  const former = existingField(schema, name);
  return { metadata, schema: { ...schema, fields: schema.fields.map((f) => (f === former ? edit(f) : f)) } };
}

function needsMapping({ configuration }: Metadata): void {
  const mode = configuration["delta.columnMapping.mode"] ?? "none";
  if (mode === "none") throw needs("delta.columnMapping.mode", "name");
}

function needs(property: string, value: string): TerminalError {
  return new TerminalError(`this change needs the table property ${property} = ${value}`, {
    code: "DELTA_NEEDS_PROPERTY",
    value: property,
    allowed: value,
    next: `Set it first; readers must then know the feature.`,
  });
}
