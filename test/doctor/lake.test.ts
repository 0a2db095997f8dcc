import { readdir, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { attempt } from "../../jobs/doctor/check.ts";
import { checkDuckDb } from "../../jobs/doctor/duckdb.ts";
import { checkLake, checkStore } from "../../jobs/doctor/lake.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { useFolder } from "../support/folder.ts";
import { s3Available, useS3 } from "../support/s3.ts";

const folder = useFolder();
const s3 = useS3();

/** The lake as the doctor sees it; what is thrown becomes a failure. */
const lakeAt = (root: string) => attempt("lake", "", () => checkLake(root));

it("DuckDB opens, and takes a Parquet file there and back", async () => {
  const result = await checkDuckDb(256, 1);
  expect(result).toMatchObject({
    status: "ok",
    found: expect.stringMatching(/^v\d+\.\d+.*256 MB, 1 threads/),
  });
});

it("a folder is a lake, and nothing is left in it", async () => {
  const root = `${folder.path}/lake`;
  expect(await lakeAt(root)).toMatchObject([{ status: "ok", found: expect.stringContaining(root) }]);
  expect(await readdir(root)).toEqual([]);
});

it("two doctors on one lake are not in each other's way", async () => {
  const root = `${folder.path}/shared`;
  const results = await Promise.all([1, 2, 3, 4].map(() => lakeAt(root)));
  expect(results.flat().map(({ status }) => status)).toEqual(["ok", "ok", "ok", "ok"]);
  expect(await readdir(root)).toEqual([]);
});

it("a lake below a file cannot be written", async () => {
  await writeFile(`${folder.path}/file`, "");
  expect(await lakeAt(`${folder.path}/file/lake`)).toMatchObject([
    {
      status: "failed",
      found: expect.stringContaining("cannot write"),
      fix: expect.stringContaining("INGOT_LAKE"),
    },
  ]);
});

it("storage that Ingot does not know is a failure, not a crash", async () => {
  expect(await lakeAt("gopher://bucket/lake")).toMatchObject([
    {
      status: "failed",
      found: expect.stringContaining("gopher://bucket/lake"),
      fix: expect.stringContaining("folder"),
    },
  ]);
});

describe.skipIf(!s3Available())("a lake on S3", () => {
  const reach = () => ({ endpoint: s3.endpoint, credentials: s3.credentials });

  it("is tried by writing, racing, listing and deleting, and nothing is left in it", async () => {
    const root = `s3://${s3.bucket}/lake`;
    const results = await Promise.all([1, 2, 3].map(() => checkLake(root, reach())));
    for (const result of results)
      expect(result).toMatchObject({
        status: "ok",
        found: `${root}: write, conditional create, list, delete`,
      });
    expect(await s3.store("lake").list("")).toEqual([]);
  });

  it("that cannot be used says why and what to do", async () => {
    const wrong = { ...s3.credentials, secretAccessKey: "s3cret" };
    const results = await attempt("lake", "", () =>
      checkLake(`s3://${s3.bucket}/lake`, { ...reach(), credentials: wrong }),
    );
    expect(results).toMatchObject([
      {
        status: "failed",
        found: expect.stringContaining("refused the signature"),
        fix: expect.stringContaining("AWS_SECRET_ACCESS_KEY"),
      },
    ]);
    expect(JSON.stringify(results)).not.toContain("s3cret");
    const [absent] = await attempt("lake", "", () => checkLake("s3://nowhere/lake", reach()));
    expect(absent).toMatchObject({ status: "failed", found: expect.stringContaining("no bucket nowhere") });
  });
});

/** Storage that breaks one promise. */
function broken(change: (store: ObjectStore) => Partial<ObjectStore>): ObjectStore {
  const store = new MemoryStore();
  const changed = change(store);
  return new Proxy<ObjectStore>(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(changed, name) ?? Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

it.each([
  [
    "lets everyone win",
    (store: ObjectStore) => ({
      putIfAbsent: async (path: string, bytes: Uint8Array) => {
        await store.put(path, bytes);
        return true;
      },
    }),
    "2 succeeded",
  ],
  ["lets nobody win", () => ({ putIfAbsent: async () => false }), "0 succeeded"],
  ["forgets what it lists", () => ({ list: async () => [] }), "not listed"],
  ["does not delete", () => ({ delete: async () => {} }), "still there"],
  ["gives other bytes", () => ({ get: async () => Buffer.from("other") }), "another one's bytes"],
])("storage that %s is refused", async (_name, change, found) => {
  expect(await checkStore(broken(change))).toMatchObject({
    status: "failed",
    found: expect.stringContaining(found),
    fix: expect.stringContaining("cannot hold a lake"),
  });
});
