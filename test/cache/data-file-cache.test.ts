/** The cache of data files: whole files, once, bounded, private. */
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type CacheOptions, DataFileCache } from "../../lakehouse/cache/data-file-cache.ts";
import { fetchObject } from "../../lakehouse/cache/fetch-object.ts";
import { cacheFolder } from "../../lakehouse/cache/private-folder.ts";
import { type Scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { field } from "../../lakehouse/delta/schema.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { writeDataFile } from "../support/data-files.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const HOUR = 3600 * 1000;

const newCache = (options: CacheOptions = {}) =>
  new DataFileCache({ folder: join(folder.path, crypto.randomUUID()), ...options });
const bytes = (count: number) => (path: string) => writeFile(path, Buffer.alloc(count));
/** Whoever used a file last did so this long ago, in milliseconds before `now`. */
const usedAt = (path: string, at: number) => utimesSync(path, at / 1000, at / 1000);

it("makes a file once, however many ask for it, and never shows half of it", async () => {
  const cache = newCache();
  let made = 0;
  const make = async (partial: string) => {
    made += 1;
    await writeFile(partial, "half");
    expect(readdirSync(cache.folder)).not.toContain("a");
    await writeFile(partial, "whole");
  };
  const paths = await Promise.all(Array.from({ length: 20 }, () => cache.file("a", make)));
  expect(new Set(paths)).toEqual(new Set([join(cache.folder, "a")]));
  expect(await new DataFileCache({ folder: cache.folder }).file("a", make)).toBe(paths[0]);
  expect([made, readFileSync(join(cache.folder, "a"), "utf8")]).toEqual([1, "whole"]);
});

it("leaves nothing of a file that failed, and tries again", async () => {
  const cache = newCache();
  const failing = async (partial: string) => {
    await writeFile(partial, "half");
    throw new RangeError("torn");
  };
  await expect(cache.file("a", failing)).rejects.toThrow("torn");
  expect(readdirSync(cache.folder)).toEqual([]);
  await cache.file("a", bytes(3));
  expect(statSync(join(cache.folder, "a")).size).toBe(3);
});

it("brings in at most eight files at once", async () => {
  const cache = newCache();
  let running = 0;
  let most = 0;
  const make = async (partial: string) => {
    running += 1;
    most = Math.max(most, running);
    await writeFile(partial, "x");
    running -= 1;
  };
  await Promise.all(Array.from({ length: 40 }, (_, i) => cache.file(`f${i}`, make)));
  expect(most).toBeLessThanOrEqual(8);
  expect(readdirSync(cache.folder)).toHaveLength(40);
});

it("removes what was used longest ago, never what is in use", async () => {
  const now = 1_800_000_000_000;
  const place = { folder: join(folder.path, "bounded"), maxBytes: 1000, now: () => now };
  const others = new DataFileCache(place);
  for (const name of ["old", "older", "oldest", "lately"]) await others.file(name, bytes(300));
  for (const [name, age] of [
    ["old", 2],
    ["older", 3],
    ["oldest", 4],
    ["lately", 0.1],
  ] as const) {
    usedAt(join(place.folder, name), now - age * HOUR);
  }
  writeFileSync(join(place.folder, ".partial-dead"), "x");
  usedAt(join(place.folder, ".partial-dead"), now - 2 * HOUR);
  const cache = new DataFileCache(place);
  await cache.file("older", bytes(300));
  usedAt(join(place.folder, "older"), now - 3 * HOUR);
  await cache.file("new", bytes(300));
  // 1,500 bytes: "oldest" and "old" go, "older" is this process's own, "lately" anybody's.
  expect(readdirSync(place.folder).sort()).toEqual(["lately", "new", "older"]);
});

it("says of every use that it happened", async () => {
  const now = Date.now();
  const cache = newCache({ now: () => now });
  const path = await cache.file("a", bytes(1));
  usedAt(path, now - HOUR);
  await cache.file("a", bytes(1));
  expect(Math.abs(statSync(path).mtimeMs - now)).toBeLessThan(1000);
});

it("keeps its folder to its user, and refuses one that is none", async () => {
  const cache = newCache();
  await cache.file("a", bytes(1));
  expect(statSync(cache.folder).mode & 0o777).toBe(0o700);
  chmodSync(cache.folder, 0o777);
  await cache.file("b", bytes(1));
  expect(statSync(cache.folder).mode & 0o777).toBe(0o700);
  const link = join(folder.path, "link");
  symlinkSync(cache.folder, link);
  const refused = { code: "CACHE_NOT_PRIVATE", value: link };
  await expect(new DataFileCache({ folder: link }).file("a", bytes(1))).rejects.toMatchObject(refused);
});

it("lies where the environment says", () => {
  expect(cacheFolder({ INGOT_CACHE: "/somewhere/cache" })).toBe("/somewhere/cache");
  expect(cacheFolder({ INGOT_CACHE: "" })).toBe(cacheFolder({}));
});

it("fetches objects in pieces and refuses those of another size", async () => {
  const store = new MemoryStore();
  const content = Buffer.alloc(20 * 1024 * 1024, "abc");
  await store.put("big", content);
  const target = () => join(folder.path, crypto.randomUUID());
  for (const size of [content.length, undefined]) {
    const path = target();
    expect(await fetchObject(store, "big", size, path)).toBe(true);
    expect(readFileSync(path).equals(content)).toBe(true);
  }
  // The end of the second piece is not the end of the object.
  await expect(fetchObject(store, "big", 16 * 1024 * 1024, target())).rejects.toMatchObject({
    code: "STORE_SHORT_READ",
  });
  expect(await fetchObject(store, "none", 5, target())).toBe(false);
  for (const size of [content.length - 1, content.length + 1, 5]) {
    await expect(fetchObject(store, "big", size, target())).rejects.toMatchObject({
      code: "STORE_SHORT_READ",
    });
  }
  const torn = faultyStore(store, { getRange: [{ tear: 0.5 }] });
  await expect(fetchObject(torn, "big", 100, target())).rejects.toMatchObject({ code: "STORE_SHORT_READ" });
});

it("serves scans of stores that DuckDB cannot open", async () => {
  const store = new MemoryStore();
  const cache = newCache();
  const file = await writeDataFile(duckdb, folder.path, "x.parquet", "SELECT 1::BIGINT AS x");
  await store.put("x.parquet", readFileSync(join(folder.path, "x.parquet")));
  const table: Scannable = {
    schema: { type: "struct", fields: [field("x", "long")] },
    partitionColumns: [],
    files: [file],
  };
  const sql = await scanSql(store, table, { cache });
  expect(await duckdb.rows(sql)).toEqual([{ x: 1n }]);
  await store.delete("x.parquet");
  expect(await scanSql(store, table, { cache })).toBe(sql);
  expect(existsSync(cache.folder)).toBe(true);
  const lost = { ...table, files: [{ ...file, path: "lost.parquet" }] };
  const refused = { code: "DELTA_MISSING_FILE", value: "lost.parquet" };
  await expect(scanSql(store, lost, { cache })).rejects.toMatchObject(refused);
});
