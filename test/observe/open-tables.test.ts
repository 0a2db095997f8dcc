/** Tables that are observed for a long time. */
import { cp, rm } from "node:fs/promises";
import { expect, it } from "vitest";
import { OpenTables } from "../../jobs/observe/open-tables.ts";
import { Lake, type TablePath } from "../../lakehouse/lake.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";
import { writeRows } from "../support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const MINUTE = 60_000;
const PATHS = ["a", "b", "c"].map((name): TablePath => `p/bronze/${name}`);

it("opens tables anew after ten minutes, one by one, and has them as they were until then", async () => {
  const root = `${folder.path}/lake`;
  const lake = new Lake(new LocalStore(root), duckdb);
  const rows = "SELECT 1::BIGINT AS id, 'x' AS name, 1::DECIMAL(12,2) AS price";
  for (const path of PATHS) {
    await writeRows(duckdb, lake.table(path), rows);
    await cp(`${root}/${path}`, `${root}/young/${path}`, { recursive: true });
    await writeRows(duckdb, lake.table(path), rows);
  }
  const held: (() => void)[] = [];
  let isHeld = false;
  const hold = () => new Promise<void>((resolve) => held.push(resolve));
  const store = faultyStore(new LocalStore(root), ({ method }) =>
    isHeld && method === "list" ? { before: hold } : undefined,
  );
  let now = 0;
  const tables = new OpenTables({ store, duckdb }, () => now);
  const versions = async () => {
    const found = await Promise.all(PATHS.map((path) => tables.table(path).snapshot()));
    return found.map((snapshot) => snapshot?.version);
  };
  expect(await versions()).toEqual([1, 1, 1]);
  // Another history of the same tables, and one that is gone.
  for (const path of PATHS) await rm(`${root}/${path}`, { recursive: true });
  for (const path of PATHS.slice(1))
    await cp(`${root}/young/${path}`, `${root}/${path}`, { recursive: true });
  now = 10 * MINUTE - 1;
  await tables.renew(new Set(PATHS));
  expect(await versions()).toEqual([1, 1, 1]);
  now = 10 * MINUTE;
  isHeld = true;
  const renewing = tables.renew(new Set(PATHS));
  void tables.renew(new Set(PATHS));
  expect(await versions()).toEqual([1, 1, 1]);
  expect(held.length).toBe(1);
  isHeld = false;
  for (const release of held) release();
  await renewing;
  expect(await versions()).toEqual([undefined, 0, 0]);
  // Nobody looks at it any more; when it is looked at again it is not what it was.
  await rm(`${root}/${PATHS[1]}`, { recursive: true });
  await tables.renew(new Set(PATHS.slice(2)));
  expect(await versions()).toEqual([undefined, undefined, 0]);
});

it("what cannot be read anew is what the next look meets", async () => {
  const lake = new Lake(new LocalStore(`${folder.path}/other`), duckdb);
  const [path = "p/bronze/a"] = PATHS;
  await writeRows(duckdb, lake.table(path), "SELECT 1::BIGINT AS id, 'x' AS name, 1::DECIMAL(12,2) AS price");
  let [now, isAway] = [0, false];
  const store = faultyStore(lake.store, ({ method }) => ({ failBefore: isAway && method === "list" }));
  const tables = new OpenTables({ store, duckdb }, () => now);
  const version = async () => (await tables.table(path).snapshot())?.version;
  expect(await version()).toBe(0);
  [now, isAway] = [10 * MINUTE, true];
  expect(await version()).toBe(0);
  await tables.renew(new Set([path]));
  await expect(version()).rejects.toMatchObject({ code: "STORE_CONNECTION_LOST" });
  isAway = false;
  expect(await version()).toBe(0);
  // Nothing is begun after the end.
  now = 20 * MINUTE;
  isAway = true;
  await tables.close();
  await tables.renew(new Set([path]));
  expect(await version()).toBe(0);
});
