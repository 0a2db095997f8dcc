/** Where rows are kept that break their contract: a table beside the model's, with the row as the source has it. */
import { createTable } from "../../../lakehouse/delta/create.ts";
import { field, type StructType } from "../../../lakehouse/delta/schema.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import type { TablePath } from "../../../lakehouse/lake.ts";

const QUARANTINE: StructType = {
  type: "struct",
  fields: [
    field("key", "string", true, "JSON of the row's key; the values are texts"),
    field("raw", "string", true, "JSON of the row as bronze has it; the values are texts"),
    field(
      "rules",
      { type: "array", elementType: "string", containsNull: true },
      true,
      "rules that the row breaks",
    ),
    field("lsn", "long", true, "WAL position of the row in bronze"),
    field("seq", "long", true, "its order within the transaction"),
    field("contract", "string", true, "fingerprint of the rules"),
    field("held_at", "timestamp", true, "when the row was set aside"),
  ],
};

/** `commerce/quarantine/orders` */
export const quarantinePath = (pipeline: string, table: string): TablePath =>
  `${pipeline}/quarantine/${table}`;

/** Makes the table where there is none. */
export async function ensureQuarantine(table: DeltaTable, model: string): Promise<void> {
  await createTable(table, {
    schema: QUARANTINE,
    properties: { "delta.enableDeletionVectors": "true" },
    description: `rows that ${model} would have, and that break its contract`,
    ifNotExists: true,
  });
}
