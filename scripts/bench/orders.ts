/** The table that the merge and scan benchmarks work on: rows that follow from their key, so that results can be checked. */
import { link, mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { field, type StructType } from "../../lakehouse/delta/schema.ts";

export const ORDERS: StructType = {
  type: "struct",
  fields: [
    field("id", "long"),
    field("user_id", "long"),
    field("quantity", "integer"),
    field("status", "string"),
    field("note", "string"),
    field("total", "decimal(12,2)"),
    field("updated_at", "timestamp"),
  ],
};

/** SQL of the rows with these keys (SQL of a column `id`); another `edition` gives them other values. */
export function ordersSql(keys: string, edition = 0): string {
  // Values without order, as orders have them: what is regular would be packed to nothing.
  const random = (salt: number, bound: number) => `(hash(id, ${edition}, ${salt}) % ${bound})::BIGINT`;
  return `
    SELECT id, ${random(1, 200_000)} AS user_id, ${random(2, 13)}::INTEGER AS quantity,
           ['pending', 'paid', 'shipped', 'delivered', 'cancelled', 'refunded'][1 + ${random(3, 6)}] AS status,
           'customer ' || ${random(4, 1_000_000)} AS note, (${random(5, 1_000_000)} / 100)::DECIMAL(12,2) AS total,
           make_timestamptz(1735689600000000 + id * 2500000 + ${random(6, 2_000_000)}) AS updated_at
      FROM (${keys})`;
}

/** SQL of a column `id`: so many keys spread evenly over the first `rows`. */
export const spreadKeysSql = (rows: number, keys: number): string =>
  `SELECT i * ${Math.floor(rows / keys)} AS id FROM range(${keys}) t(i)`;

/** SQL of one row: how many there are, and a number that tells their contents whatever their order. */
export const digestSql = (relation: string): string =>
  `SELECT count(*)::VARCHAR || ':' || sum(hash(id, user_id, quantity, status, note, total, epoch_us(updated_at))::HUGEINT)::VARCHAR AS digest FROM (${relation})`;

/** Copies a table by linking its files, none of which is ever written again. */
export async function linkTable(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    const target = join(to, source.slice(from.length + 1));
    await mkdir(dirname(target), { recursive: true });
    await link(source, target);
  }
}
