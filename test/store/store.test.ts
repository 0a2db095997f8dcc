import { createHash, randomBytes } from "node:crypto";
import { access, readdir, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";
import { s3Available, useS3 } from "../support/s3.ts";

const folder = useFolder();
const s3 = useS3();
const text = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString();
const hash = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : createHash("sha256").update(bytes).digest("hex");

const stores: Record<string, () => ObjectStore> = {
  memory: () => new MemoryStore(),
  local: () => new LocalStore(`${folder.path}/${crypto.randomUUID()}`),
  S3: () => s3.store(),
  "faulty (left alone)": () => faultyStore(new MemoryStore(), []),
};

const ODD_NAMES = [
  "a b",
  " leading and trailing ",
  "100%",
  "%41%2F%zz",
  "plus+plus",
  "amp&equals=",
  "q\"'`",
  "less<more>",
  "question?mark#hash",
  "colon:semi;comma,",
  "{curly}[square](round)",
  "back\\slash",
  "ünïcödé/日本語",
  "e\u0301/é",
  "tab\tnewline\n",
  "dots../...and.dots",
  "~!@$^*|",
  `${"long".repeat(60)}/${"er".repeat(110)}`,
];

describe.each(Object.entries(stores))("the %s store", (name, makeStore) => {
  const skipped = name === "S3" && !s3Available();

  it.skipIf(skipped)("puts, gets, replaces, reads ranges and deletes", async () => {
    const store = makeStore();
    expect(await store.get("a/b")).toBeUndefined();
    await store.put("a/b", Buffer.from("hello"));
    await store.put("a/b", Buffer.from("hello world"));
    expect(text(await store.get("a/b"))).toBe("hello world");
    await store.delete("a/b");
    await store.delete("a/b");
    expect(await store.get("a/b")).toBeUndefined();
    expect(await store.list("")).toEqual([]);
    expect(await store.putIfAbsent("a/b", Buffer.from("again"))).toBe(true);
    expect(await store.putIfAbsent("a/b", Buffer.from("later"))).toBe(false);
    expect(text(await store.get("a/b"))).toBe("again");
  });

  it.skipIf(skipped)("gives of a range what there is of it", async () => {
    const store = makeStore();
    await store.put("ten", Buffer.from("0123456789"));
    await store.put("none", new Uint8Array());
    const range = async (path: string, start: number, end: number) =>
      text(await store.getRange(path, start, end));
    expect(await range("ten", 0, 1)).toBe("0");
    expect(await range("ten", 3, 7)).toBe("3456");
    expect(await range("ten", 6, 100)).toBe("6789");
    expect(await range("ten", 10, 20)).toBe("");
    expect(await range("ten", 500, 600)).toBe("");
    expect(await range("ten", 5, 5)).toBe("");
    expect(await range("none", 0, 5)).toBe("");
    expect(await range("none", 0, 0)).toBe("");
    expect(await range("absent", 0, 1)).toBeUndefined();
    expect(await range("absent", 0, 0)).toBeUndefined();
  });

  it.skipIf(skipped)("keeps an empty object", async () => {
    const store = makeStore();
    await store.put("put", new Uint8Array());
    expect(await store.putIfAbsent("created", new Uint8Array())).toBe(true);
    expect((await store.get("put"))?.length).toBe(0);
    expect((await store.list("")).map(({ path, size }) => [path, size])).toEqual([
      ["created", 0],
      ["put", 0],
    ]);
  });

  it.skipIf(skipped)("lists by prefix, from a path on, in order, below folders too", async () => {
    const store = makeStore();
    for (const path of ["log/2", "log/10", "log/1", "log/sub/3", "logs/1", "z"])
      await store.put(path, Buffer.from("x"));
    const paths = async (prefix: string, from?: string) =>
      (await store.list(prefix, from)).map((o) => o.path);
    expect(await paths("log/")).toEqual(["log/1", "log/10", "log/2", "log/sub/3"]);
    expect(await paths("log/", "log/10")).toEqual(["log/10", "log/2", "log/sub/3"]);
    expect(await paths("log/", "log/11")).toEqual(["log/2", "log/sub/3"]);
    expect(await paths("log/", "a")).toHaveLength(4);
    expect(await paths("log/", "zz")).toEqual([]);
    expect(await paths("log")).toHaveLength(5);
    expect(await paths("none/")).toEqual([]);
    expect(await store.within("log").list("sub/")).toMatchObject([{ path: "sub/3", size: 1 }]);
  });

  it.skipIf(skipped)("lists more than one page", async () => {
    const store = makeStore().within("many");
    const paths = Array.from({ length: 2_500 }, (_, i) => `_delta_log/${String(i).padStart(20, "0")}.json`);
    const waiting = [...paths].reverse();
    const write = async () => {
      for (let path = waiting.pop(); path !== undefined; path = waiting.pop())
        await store.put(path, Buffer.from("x"));
    };
    await Promise.all(Array.from({ length: 16 }, write));
    const listed = async (from?: string) => (await store.list("_delta_log/", from)).map((o) => o.path);
    expect(await listed()).toEqual(paths);
    expect(await listed(paths[1_234])).toEqual(paths.slice(1_234));
    expect(await listed(paths[2_499])).toEqual(paths.slice(2_499));
    expect(await listed("_delta_log/00000000000000001999.json.x")).toEqual(paths.slice(2_000));
  });

  it.skipIf(skipped)("keeps folders apart whose names begin alike", async () => {
    const store = makeStore();
    const [one, other] = [store.within("shop/a/b"), store.within("shop/a/bc")];
    await one.put("x", Buffer.from("one"));
    await other.put("x", Buffer.from("other"));
    await other.put("y", Buffer.from("other"));
    expect((await one.list("")).map((o) => o.path)).toEqual(["x"]);
    expect(text(await one.get("x"))).toBe("one");
    expect(await one.get("y")).toBeUndefined();
    await one.delete("x");
    expect((await store.list("shop/")).map((o) => o.path)).toEqual(["shop/a/bc/x", "shop/a/bc/y"]);
    expect(one.root).toContain("shop/a/b");
  });

  it.skipIf(skipped)("takes odd names as they are", async () => {
    const store = makeStore();
    for (const odd of ODD_NAMES) await store.put(`odd/${odd}`, Buffer.from(odd));
    for (const odd of ODD_NAMES) {
      expect(text(await store.get(`odd/${odd}`))).toBe(odd);
      expect(await store.putIfAbsent(`odd/${odd}`, Buffer.from("rival"))).toBe(false);
      expect(hash(await store.within("odd").getRange(odd, 0, 3))).toBe(hash(Buffer.from(odd).subarray(0, 3)));
    }
    const names = ODD_NAMES.map((odd) => `odd/${odd}`).sort();
    expect((await store.list("odd/")).map((o) => o.path)).toEqual(names);
    for (const from of names) expect((await store.list("odd/", from))[0]?.path).toBe(from);
    for (const path of names) await store.delete(path);
    expect(await store.list("")).toEqual([]);
  });

  it.skipIf(skipped)("takes over files, small, large and empty", async () => {
    const store = makeStore();
    for (const size of [0, 10, 8 * 1024 * 1024 + 1, 21_000_001]) {
      const staging = await store.stagingFolder();
      const bytes = randomBytes(size);
      await writeFile(`${staging}/file`, bytes);
      await store.putFile(`data/${size}.parquet`, `${staging}/file`);
      await expect(access(`${staging}/file`)).rejects.toThrow("ENOENT");
      expect(hash(await store.get(`data/${size}.parquet`))).toBe(hash(bytes));
      const [from, to] = [Math.max(0, size - 7), size + 7];
      expect(hash(await store.getRange(`data/${size}.parquet`, from, to))).toBe(hash(bytes.subarray(from)));
    }
    const small = `${folder.path}/${crypto.randomUUID()}`;
    await writeFile(small, "new");
    await store.putFile("data/21000001.parquet", small);
    expect(text(await store.get("data/21000001.parquet"))).toBe("new");
    expect((await store.list("data/")).map((o) => o.size).sort((a, b) => a - b)).toEqual([
      0,
      3,
      10,
      8 * 1024 * 1024 + 1,
    ]);
  });

  it.skipIf(skipped)("gives one of 20 rivals the name, and readers never see a part", async () => {
    const store = makeStore();
    for (let round = 0; round < 20; round++) {
      const path = `race/${round}`;
      const contents = Array.from({ length: 20 }, (_, i) => `${i}`.repeat(50_000));
      let done = false;
      const reader = (async () => {
        const seen = new Set<string | undefined>();
        while (!done) seen.add(text(await store.get(path)));
        return seen;
      })();
      const won = await Promise.all(contents.map((c) => store.putIfAbsent(path, Buffer.from(c))));
      done = true;
      expect(won.filter(Boolean)).toHaveLength(1);
      const winner = contents[won.indexOf(true)];
      expect(text(await store.get(path))).toBe(winner);
      for (const seen of await reader) expect([undefined, winner]).toContain(seen);
    }
    expect(await store.list("race/")).toHaveLength(20);
  });

  it.skipIf(skipped)("refuses paths that leave the root", async () => {
    const store = makeStore();
    for (const path of ["../x", "/x", "a/../../x", "", "a//b", "./a"]) {
      await expect(async () => store.put(path, Buffer.from(""))).rejects.toThrow(RangeError);
    }
  });
});

it("the local store leaves no temporary file behind", async () => {
  const store = new LocalStore(`${folder.path}/clean`);
  await Promise.all(Array.from({ length: 10 }, () => store.putIfAbsent("a/one", Buffer.from("x"))));
  await store.put("a/two", Buffer.from("x"));
  expect((await readdir(`${folder.path}/clean/a`)).sort()).toEqual(["one", "two"]);
});
