/** Creating tables. */
import { TerminalError } from "../errors.ts";
import type { SetTransaction } from "./actions.ts";
import { checkColumnNames } from "./evolve.ts";
import { assignIds, MAX_COLUMN_ID } from "./mapping.ts";
import { newMetadata } from "./metadata.ts";
import { partitionValueSql } from "./partition-path.ts";
import { checkProperties, featuresFor } from "./properties.ts";
import { protocolWith } from "./protocol.ts";
import { duckdbType, type StructType } from "./schema.ts";
import type { Snapshot } from "./snapshot.ts";
import type { DeltaTable } from "./table.ts";

export interface CreateOptions {
  readonly schema: StructType;
  /** Columns whose values name the folders of the files; few values each, or there are many small files. */
  readonly partitionBy?: readonly string[];
  /** Delta's table properties, such as `delta.enableDeletionVectors`, and one's own. */
  readonly properties?: Readonly<Record<string, string>>;
  readonly name?: string;
  readonly description?: string;
  /** Features beyond those that properties and columns ask for, such as `domainMetadata`. */
  readonly features?: readonly string[];
  /** A table that is there already is taken as it is. */
  readonly ifNotExists?: boolean;
  readonly transaction?: SetTransaction;
}

/** Makes an empty table. Rejects with `DELTA_TABLE_EXISTS` where there is one. */
export async function createTable(table: DeltaTable, options: CreateOptions): Promise<Snapshot> {
  const existing = await table.snapshot();
  if (existing !== undefined) return settle(table, existing, options);
  const { metadata, schema } = definition(options, table.now());
  const protocol = protocolWith([
    ...featuresFor(metadata.configuration, schema),
    ...(options.features ?? []),
  ]);
  const outcome = await table.commit({
    base: undefined,
    operation: "CREATE TABLE",
    operationParameters: { partitionBy: metadata.partitionColumns, properties: metadata.configuration },
    actions: [
      { protocol },
      { metaData: metadata },
      ...(options.transaction ? [{ txn: options.transaction }] : []),
    ],
    reads: "table",
  });
  const made = await table.existingSnapshot();
  return outcome.status === "committed" ? made : settle(table, made, options);
}

function settle(table: DeltaTable, existing: Snapshot, { ifNotExists }: CreateOptions): Snapshot {
  if (ifNotExists) return existing;
  throw new TerminalError(`there is a table at ${table.store.root} already`, {
    code: "DELTA_TABLE_EXISTS",
    value: table.store.root,
    next: "Open it, choose another place, or say that an existing table will do.",
  });
}

/** The metadata of a new table, its columns mapped where its properties ask for it. */
export function definition(options: CreateOptions, now: number) {
  const { partitionBy = [], properties = {} } = options;
  checkProperties(properties);
  checkSchema(options.schema, partitionBy);
  let { schema } = options;
  let configuration = properties;
  const mode = properties["delta.columnMapping.mode"];
  if (mode === "name" || mode === "id") {
    const mapped = assignIds(schema, 0, false);
    schema = mapped.schema;
    configuration = { ...properties, [MAX_COLUMN_ID]: String(mapped.maxColumnId) };
  }
  const about = {
    partitionColumns: partitionBy,
    configuration,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.description === undefined ? {} : { description: options.description }),
  };
  return { metadata: newMetadata(schema, now, about), schema };
}

function checkSchema(schema: StructType, partitionBy: readonly string[]): void {
  checkColumnNames(schema);
  for (const f of schema.fields) duckdbType(f.type);
  for (const name of partitionBy) {
    const f = schema.fields.find((candidate) => candidate.name === name);
    if (f === undefined) throw badColumn(name, "the table is partitioned by it and does not have it");
    partitionValueSql("NULL", f);
  }
}

function badColumn(name: string, why: string): TerminalError {
  return new TerminalError(`column ${name}: ${why}`, { code: "DELTA_BAD_SCHEMA", value: name });
}
