/** Columns of models: which its SQL gives, and which Ingot adds. */
import type { Columns } from "../../schemas/table.ts";
import type { ModelDefinition, SnapshotOptions } from "./model.ts";

/** Columns of a `scd2` model: when a version began, and when it ended. */
export const [VALID_FROM, VALID_TO] = ["valid_from", "valid_to"] as const;

/** The column that tells the images of a `snapshot` apart. */
export const imageColumn = ({ column = "day" }: SnapshotOptions): string => column;

/** Columns of a model's contract that its SQL does not give, because Ingot does. */
export function addedColumns(model: Pick<ModelDefinition, "kind" | "column">): readonly string[] {
  if (model.kind === "scd2") return [VALID_FROM, VALID_TO];
  return model.kind === "snapshot" ? [imageColumn(model)] : [];
}

/** The columns that a model's SQL gives: its input where a function makes the rows, else those of its contract. */
export function sqlColumns(model: Pick<ModelDefinition, "kind" | "column" | "contract" | "input">): Columns {
  if (model.input !== undefined) return model.input;
  const added = addedColumns(model);
  return Object.fromEntries(Object.entries(model.contract.columns).filter(([name]) => !added.includes(name)));
}
