/** Which table of which pipeline a word of the command line means. */
import { TerminalError } from "../lakehouse/errors.ts";
import type { TablePath } from "../lakehouse/lake.ts";
import type { PipelineDefinition } from "../layers/definition/pipeline.ts";
import type { AnyContract } from "../schemas/table.ts";

export interface NamedTable {
  readonly pipeline: PipelineDefinition;
  /** `gold.daily_sales` */
  readonly reference: string;
  readonly path: TablePath;
}

/** `layer.table`, or `pipeline.layer.table` where several pipelines have it. Throws `TABLE_UNKNOWN`. */
export function namedTable(pipelines: readonly PipelineDefinition[], name: string): NamedTable {
  const [, prefix, layer = "", table = ""] = /^(?:([^.]+)\.)?(bronze|silver|gold)\.([^.]+)$/.exec(name) ?? [];
  const asked = pipelines.filter((pipeline) => prefix === undefined || pipeline.name === prefix);
  const naming = asked.filter((pipeline) => has(pipeline, layer, table));
  // A pipeline that takes whole schemas knows its tables only when it asks the source.
  const discovering = asked.filter(({ source }) => layer === "bronze" && source.discover !== undefined);
  const candidates = naming.length > 0 ? naming : discovering;
  const [pipeline, ...others] = candidates;
  if (pipeline !== undefined && others.length === 0)
    return { pipeline, reference: `${layer}.${table}`, path: `${pipeline.name}/${layer}/${table}` };
  throw new TerminalError(
    pipeline === undefined ? `no pipeline has a table ${name}` : `${name} is of several pipelines`,
    {
      code: "TABLE_UNKNOWN",
      value: name,
      allowed:
        pipeline === undefined
          ? pipelines.flatMap(tablesOf).join(", ")
          : candidates.map((p) => `${p.name}.${layer}.${table}`).join(", "),
      next: "Name it LAYER.TABLE, or PIPELINE.LAYER.TABLE; `ingot status` lists the tables.",
    },
  );
}

const has = ({ source, silver = {}, gold = {} }: PipelineDefinition, layer: string, table: string): boolean =>
  Object.hasOwn(layer === "bronze" ? source.tables : layer === "silver" ? silver : gold, table);

const tablesOf = ({ name, source, silver = {}, gold = {} }: PipelineDefinition): string[] => [
  ...Object.keys(source.tables).map((table) => `${name}.bronze.${table}`),
  ...Object.keys(silver).map((table) => `${name}.silver.${table}`),
  ...Object.keys(gold).map((table) => `${name}.gold.${table}`),
];

/** The contract of a model's table; undefined for bronze, which has none. */
export function contractOf({
  pipeline,
  reference,
}: Pick<NamedTable, "pipeline" | "reference">): AnyContract | undefined {
  const [layer, table = ""] = reference.split(".");
  return layer === "silver" || layer === "gold" ? pipeline[layer]?.[table]?.contract : undefined;
}

/**
 * Columns of a table whose values are not to be shown: those that its contract calls sensitive; of bronze, which has no
 * contract, those that any contract of the pipeline does.
 */
export function sensitiveColumns(pipeline: PipelineDefinition, reference: string): ReadonlySet<string> {
  const own = contractOf({ pipeline, reference });
  const models = [...Object.values(pipeline.silver ?? {}), ...Object.values(pipeline.gold ?? {})];
  const contracts = own === undefined ? models.map(({ contract }) => contract) : [own];
  return new Set(
    contracts.flatMap(({ columns }) =>
      Object.entries(columns).flatMap(([name, { sensitivity }]) => (sensitivity === undefined ? [] : name)),
    ),
  );
}
