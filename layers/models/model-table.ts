/** What the tables of models are beside their rows: columns of the contract, deletion vectors, a change feed. */
import type { Action } from "../../lakehouse/delta/actions.ts";
import { definition } from "../../lakehouse/delta/create.ts";
import { withSchema } from "../../lakehouse/delta/metadata.ts";
import { featuresFor } from "../../lakehouse/delta/properties.ts";
import { protocolWith } from "../../lakehouse/delta/protocol.ts";
import { type Scannable, scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { sameColumns } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import { contractSchema, modelError } from "./contract.ts";
import type { Model } from "./planned-model.ts";
import { refusingBroken } from "./refuse-broken.ts";
import type { ModelRun } from "./run.ts";

/** An increment writes the rows that it changes, not their files; what reads the table learns which rows these were. */
const PROPERTIES: Readonly<Record<string, string>> = {
  "delta.enableChangeDataFeed": "true",
  "delta.enableDeletionVectors": "true",
};

type Shape = Pick<Snapshot, "metadata" | "schema">;

/** The columns, partitions and properties that the table of a model is to have; `base`'s own where these are they. */
function shapeOf({ contract }: Model, base: Snapshot | undefined, now: number): Shape {
  const schema = contractSchema(contract);
  const { partitionBy, description } = contract;
  if (base === undefined)
    return definition({ schema, partitionBy, properties: PROPERTIES, description }, now);
  const { configuration, partitionColumns } = base.metadata;
  const isSet = Object.entries(PROPERTIES).every(([key, value]) => configuration[key] === value);
  const isParted = partitionColumns.join("\n") === partitionBy.join("\n");
  if (isSet && isParted && sameColumns(base.schema, schema)) return base;
  const metadata = {
    ...withSchema(base.metadata, schema),
    partitionColumns: [...partitionBy],
    configuration: { ...configuration, ...PROPERTIES },
  };
  return { metadata, schema };
}

/** The actions that make a model's table what it is to be; none where it is. */
export function tableActions(model: Model, base: Snapshot | undefined, now: number): Action[] {
  const { metadata, schema } = shapeOf(model, base, now);
  if (metadata === base?.metadata) return [];
  if (base !== undefined) return [{ metaData: metadata }];
  const features = [...featuresFor(metadata.configuration, schema), "domainMetadata"];
  return [{ protocol: protocolWith(features) }, { metaData: metadata }];
}

/** Writes the rows of a query as files of the model's table, which no commit names yet. */
export function stageRows({ model, session, target, base }: ModelRun, sql: string): Promise<Staged> {
  const shape = shapeOf(model, base, target.now());
  return modelError(model, () => target.stage(session, sql, shape));
}

/** As `stageRows`; rejects with `CONTRACT_BROKEN` where a row breaks the contract. */
export const stageModel = (run: ModelRun, sql: string): Promise<Staged> =>
  refusingBroken(run, sql, (guarded) => stageRows(run, guarded));

/** SQL of what was staged, read back: the columns that are asked for, and no others, are read. */
export function stagedSql({ model, target, base }: ModelRun, { files }: Staged): Promise<string> {
  const shape = shapeOf(model, base, target.now());
  const table: Scannable = { ...scannable({ ...shape, files: new Map() }), files };
  return scanSql(target.store, table);
}
