/** The keys that contracts promise. */
import { identifiers } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { ModelRun } from "./run.ts";

/** Refuses rows of a relation, in the columns of the contract, that have a key in common. */
export async function refuseRepeatedKeys({ session, model }: ModelRun, relation: string): Promise<void> {
  const { key } = model.contract;
  if (key.length === 0) return;
  const names = identifiers(key);
  const [found] = await session.rows(
    `SELECT count(*) AS rows, to_json({${key.map((_, i) => `k${i}: any_value(k${i})`).join(", ")}})::VARCHAR AS example
       FROM (SELECT ${key.map((name, i) => `${identifiers([name])} AS k${i}`).join(", ")} FROM ${relation}
         GROUP BY ${names} HAVING count(*) > 1)`,
  );
  if (Number(found?.rows) === 0) return;
  throw new TerminalError(`model ${model.name} gives ${String(found?.rows)} keys more than once`, {
    code: "MODEL_REPEATED_KEY",
    value: String(found?.example),
    allowed: `each ${key.join(", ")} once, as the contract "${model.contract.name}" says`,
    next: `Group by the key in ${model.file}, or correct the key of the contract. Nothing was committed.`,
  });
}
