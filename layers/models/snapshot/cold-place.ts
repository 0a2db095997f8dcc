/** Where old images go. */
import type { Lake } from "../../../lakehouse/lake.ts";
import type { ModelDefinition } from "../../definition/model.ts";
import type { ColdPlace } from "../run.ts";

/** What opens the place of a model's old images, in its lake or in the one that it names; undefined where they stay. */
export function coldPlace(
  lake: Lake,
  pipeline: string,
  { cold, table }: Pick<ModelDefinition, "cold"> & { readonly table: string },
): (() => Promise<ColdPlace>) | undefined {
  if (cold === undefined) return undefined;
  return async () => {
    const place = cold.lake === undefined ? lake : await lake.other(cold.lake);
    return { table: place.table(`${pipeline}/cold/${table}`), from: await lake.id() };
  };
}
