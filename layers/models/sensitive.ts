/** What an error of a model's SQL may say: it is read by more people than a table. */
import { messageOf } from "../../lakehouse/errors.ts";
import type { Columns } from "../../schemas/table.ts";
import type { ModelDefinition } from "../definition/model.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";

const hasSensitive = (columns: Columns): boolean =>
  Object.values(columns).some(({ sensitivity }) => sensitivity !== undefined);

/**
 * Whether the rows behind a model may hold sensitive values: its contract or its input has such a column, or that of a
 * model that it reads. Of bronze that is not known: what any contract of the pipeline calls sensitive may be there.
 */
export function readsSensitive(
  { silver, gold }: Pick<PipelineDefinition, "silver" | "gold">,
  { contract, input = {} }: Pick<ModelDefinition, "contract" | "input">,
  references: readonly string[],
): boolean {
  const contracts = Object.entries({ silver, gold }).flatMap(([layer, tables = {}]) =>
    Object.entries(tables).map(([name, model]) => ({
      name: `${layer}.${name}`,
      columns: model.contract.columns,
    })),
  );
  const isOverBronze = references.some((reference) => reference.startsWith("bronze."));
  const read = contracts.filter(({ name }) => isOverBronze || references.includes(name));
  return [contract.columns, input, ...read.map(({ columns }) => columns)].some(hasSensitive);
}

/** Errors of the text of a query, found before a row is read. */
const OF_TEXT = /^(Parser|Binder|Catalog) Error/;

/** What kind of error it is, and of its words those that name no value and that are told apart. */
const KIND =
  /^[A-Z][A-Za-z-]*( [A-Za-z-]+)* Error(?=:)(: Could not convert\b|: ingot: a row [a-z ]+(?=\n|$))?/;

/** What DuckDB says of a query; where rows may hold what is not to be shown, no more than which kind of error it was. */
export function sqlErrorText(error: unknown, isSensitive: boolean): string {
  const text = messageOf(error);
  if (!isSensitive || OF_TEXT.test(text)) return text;
  return `${KIND.exec(text)?.[0] ?? "an error"} (values are not shown, they may be sensitive)`;
}
