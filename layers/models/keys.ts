/** The keys that contracts promise. */
import { identifier, identifiers, literal } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { ModelRun } from "./run.ts";

/** Refuses rows of a relation, in the columns of the contract, that have a key in common. */
export async function refuseRepeatedKeys({ session, model }: ModelRun, relation: string): Promise<void> {
  const { key } = model.contract;
  if (key.length === 0) return;
  // An error is read by more people than a table.
  const shown = key.filter((name) => model.contract.columns[name]?.sensitivity === undefined);
  const members = shown.map((name) => `${literal(name)}, ${identifier(name)}`);
  const [found] = await session.rows(
    `SELECT count(*) AS rows, any_value(_ingot_example) AS example
       FROM (SELECT json_object(${members.join(", ")})::VARCHAR AS _ingot_example FROM ${relation}
         GROUP BY ${identifiers(key)} HAVING count(*) > 1)`,
  );
  if (Number(found?.rows) === 0) return;
  throw new TerminalError(`model ${model.name} gives ${String(found?.rows)} keys more than once`, {
    code: "MODEL_REPEATED_KEY",
    ...(shown.length === 0 ? {} : { value: String(found?.example) }),
    allowed: `each ${key.join(", ")} once, as the contract "${model.contract.name}" says`,
    next: `Group by the key in ${model.file}, or correct the key of the contract. Nothing was committed.`,
  });
}
