import { expect, it } from "vitest";
import type { Action } from "../../lakehouse/delta/actions.ts";
import { createTable } from "../../lakehouse/delta/create.ts";
import { field } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import { SOURCE_APP } from "../../layers/bronze/position.ts";
import { SOURCE_DOMAIN } from "../../layers/definition/bronze-columns.ts";
import { sourcePositions } from "../../layers/publish/source-positions.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** Commits a domain to a table, which is made where it is missing. */
async function commitDomain(lake: Lake, path: TablePath, domain: string, value: object): Promise<void> {
  const table = lake.table(path);
  if ((await table.snapshot()) === undefined) {
    const schema = { type: "struct" as const, fields: [field("k", "long")] };
    await createTable(table, { schema, features: ["domainMetadata"] });
  }
  const configuration = JSON.stringify(value);
  const actions: Action[] = [{ domainMetadata: { domain, configuration, removed: false } }];
  const base = await table.existingSnapshot();
  const outcome = await table.commit({ base, operation: "WRITE", actions, reads: "nothing" });
  expect(outcome.status).toBe("committed");
}

const position = (lsn: number, at: string) => ({
  kind: "postgres",
  source: "s",
  snapshot: "1:1:",
  xmin: "1",
  xmax: "1",
  lsn,
  at,
  oldest: at,
  key: [],
  relations: [],
});

/** A commit of captured changes: it moves the number, and the domain stays as the last read left it. */
async function capture(lake: Lake, path: TablePath, lsn: number): Promise<void> {
  const actions: Action[] = [{ txn: { appId: SOURCE_APP, version: lsn } }];
  const base = await lake.table(path).existingSnapshot();
  const outcome = await lake.table(path).commit({ base, operation: "WRITE", actions, reads: "nothing" });
  expect(outcome.status).toBe("committed");
}

/** A table as a model records it, of the newest versions of its inputs. */
async function build(lake: Lake, name: string, inputs: readonly string[]): Promise<void> {
  const read = await Promise.all(
    inputs.map(async (input) => {
      const { metadata, version } = await lake.table(pathOf(input)).existingSnapshot();
      return [input, { id: metadata.id, version }] as const;
    }),
  );
  await commitDomain(lake, pathOf(name), "ingot.model", {
    fingerprint: "f",
    inputs: Object.fromEntries(read),
  });
}

const pathOf = (name: string) => `shop/${name.replace(".", "/")}` as TablePath;

it("finds the bronze positions that a gold version was made of, not those of now", async () => {
  const lake = newLake(folder.path, duckdb);
  const bronze = (table: string, lsn: number) =>
    commitDomain(
      lake,
      pathOf(`bronze.${table}`),
      SOURCE_DOMAIN,
      position(lsn, `2026-01-0${lsn}T00:00:00.000Z`),
    );
  await bronze("orders", 1);
  await bronze("users", 1);
  await commitDomain(lake, pathOf("bronze.events"), SOURCE_DOMAIN, { kind: "another" });
  await build(lake, "silver.orders", ["bronze.orders"]);
  await bronze("orders", 2);
  await build(lake, "silver.both", ["bronze.orders", "bronze.users"]);
  await build(lake, "gold.top", ["silver.orders", "silver.both", "bronze.events"]);
  await bronze("users", 3);
  await build(lake, "silver.both", ["bronze.orders", "bronze.users"]);
  const gold = await lake.table(pathOf("gold.top")).existingSnapshot();
  const expected = {
    "bronze.orders": { version: 1, lsn: "0/1", at: "2026-01-01T00:00:00.000Z" },
    "bronze.users": { version: 1, lsn: "0/1", at: "2026-01-01T00:00:00.000Z" },
    "bronze.events": { version: 1 },
  };
  expect(await sourcePositions(lake, "shop", "gold.top", gold)).toEqual(expected);
  expect(await sourcePositions(lake, "shop", "gold.top", gold)).toEqual(expected);
  await build(lake, "gold.top", ["silver.both"]);
  const next = await lake.table(pathOf("gold.top")).existingSnapshot();
  expect((await sourcePositions(lake, "shop", "gold.top", next))["bronze.users"]?.lsn).toBe("0/3");
});

it("gives the position of captured changes, of the version that was read, and no time that is the load's", async () => {
  const lake = newLake(folder.path, duckdb);
  const orders = pathOf("bronze.orders");
  const at = "2026-01-01T00:00:00.000Z";
  await commitDomain(lake, orders, SOURCE_DOMAIN, { ...position(1, at), changes: "wal" });
  await build(lake, "gold.top", ["bronze.orders"]);
  const loaded = await lake.table(pathOf("gold.top")).existingSnapshot();
  await capture(lake, orders, 0x100000020);
  await build(lake, "gold.top", ["bronze.orders"]);
  const captured = await lake.table(pathOf("gold.top")).existingSnapshot();
  // What comes after the build is not in it.
  await capture(lake, orders, 0x100000030);
  const found = async (gold: Snapshot) =>
    (await sourcePositions(lake, "shop", "gold.top", gold))["bronze.orders"];
  expect(await found(loaded)).toEqual({ version: 1, lsn: "0/1", at });
  expect(await found(captured)).toEqual({ version: 2, lsn: "1/20" });
  // Read anew, at a moment of its own.
  const again = "2026-01-05T00:00:00.000Z";
  await commitDomain(lake, orders, SOURCE_DOMAIN, { ...position(0x100000040, again), changes: "wal" });
  await capture(lake, orders, 0x100000040);
  await build(lake, "gold.top", ["bronze.orders"]);
  const read = await lake.table(pathOf("gold.top")).existingSnapshot();
  expect(await found(read)).toMatchObject({ lsn: "1/40", at: again });
});
