/** What a model has to be for images of it to be kept, and to go on beside those that were taken. */
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import { duckdbType } from "../../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import { imageColumn } from "../../definition/model-columns.ts";
import { contractSchema } from "../contract.ts";
import type { Model } from "../planned-model.ts";
import type { ModelRun } from "../run.ts";
import { holdsImages } from "./image-record.ts";

/** Refuses a contract in which images have no place. The model that is answered is partitioned by their column. */
export async function planImages(_: DuckDb, model: Model): Promise<Model> {
  const { contract, every = "day" } = model;
  const column = imageColumn(model);
  const type = every === "hour" ? "timestamp" : "date";
  if (contract.columns[column]?.type !== type || !contract.key.includes(column))
    throw new TerminalError(`model ${model.name} has no column for its images`, {
      code: "MODEL_SNAPSHOT",
      value: `${column}: ${contract.columns[column]?.type ?? "not in the contract"}`,
      allowed: `${column}: ${type}() in the contract, and in its key`,
      next: `Add it to the contract "${contract.name}", or name another one: snapshot(…, { column }).`,
    });
  const partitionBy = [column, ...contract.partitionBy.filter((name) => name !== column)];
  return { ...model, contract: { ...contract, partitionBy } };
}

/** Why the images that a table has cannot stay beside those that its model would make; undefined where they can. */
export function imageConflict(model: Model, base: Snapshot): string | undefined {
  if (!holdsImages(base)) return "its table was made by a model of another kind";
  const { contract } = model;
  const wanted = new Map(contractSchema(contract).fields.map((f) => [f.name, duckdbType(f.type)]));
  const partitions = base.metadata.partitionColumns.join(", ");
  if (partitions !== contract.partitionBy.join(", ")) return `its images are parted by ${partitions}`;
  for (const { name, type } of base.schema.fields) {
    const now = wanted.get(name);
    if (now === undefined) return `its images have the column ${name}`;
    if (now !== duckdbType(type)) return `its images have ${name} as ${duckdbType(type)}, not ${now}`;
    wanted.delete(name);
  }
  const demanded = [...wanted.keys()].find((name) => contract.columns[name]?.isNullable !== true);
  return demanded === undefined ? undefined : `its images have no ${demanded}, and it is not nullable`;
}

/** Refuses a contract that the images which were taken do not keep. Nothing can make them again. */
export async function refuseLostImages({ session, model, target }: ModelRun, base: Snapshot): Promise<void> {
  const conflict = imageConflict(model, base);
  if (conflict !== undefined) throw imageError(model, conflict);
  const demanded = base.schema.fields.filter(
    ({ name }) => model.contract.columns[name]?.isNullable === false,
  );
  if (demanded.length === 0) return;
  const counts = demanded.map(({ name }, i) => `count(*) - count(${identifier(name)}) AS n${i}`);
  const [found] = await session.rows(
    `SELECT ${counts.join(", ")} FROM (${await scanSql(target.store, scannable(base))})`,
  );
  const broken = demanded.find((_, i) => Number(found?.[`n${i}`]) > 0);
  if (broken !== undefined)
    throw imageError(
      model,
      `${String(found?.[`n${demanded.indexOf(broken)}`])} rows of its images have no ${broken.name}`,
    );
}

const imageError = (model: Model, conflict: string): TerminalError =>
  new TerminalError(`model ${model.name} does not go with the images that were taken of it: ${conflict}`, {
    code: "MODEL_SNAPSHOT_IMAGES",
    value: model.name,
    allowed: "the columns of its images, with the same types, and further ones that are nullable",
    next: `Take back the change of the contract "${model.contract.name}", or give the model another name, under which its images begin anew; those that were taken stay as they are.`,
  });
