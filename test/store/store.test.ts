import { readdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { useFolder } from "../support/folder.ts";

const folder = useFolder();
const text = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString();

const stores: Record<string, () => ObjectStore> = {
  memory: () => new MemoryStore(),
  local: () => new LocalStore(`${folder.path}/${crypto.randomUUID()}`),
};

describe.each(Object.entries(stores))("the %s store", (_name, makeStore) => {
  it("puts, gets, replaces, reads ranges and deletes", async () => {
    const store = makeStore();
    expect(await store.get("a/b")).toBeUndefined();
    await store.put("a/b", Buffer.from("hello"));
    await store.put("a/b", Buffer.from("hello world"));
    expect(text(await store.get("a/b"))).toBe("hello world");
    expect(text(await store.getRange("a/b", 6, 100))).toBe("world");
    expect(await store.getRange("a/c", 0, 1)).toBeUndefined();
    await store.delete("a/b");
    await store.delete("a/b");
    expect(await store.get("a/b")).toBeUndefined();
  });

  it("lists by prefix, from a path on, in order, below folders too", async () => {
    const store = makeStore();
    for (const path of ["log/2", "log/10", "log/1", "log/sub/3", "logs/1", "z"])
      await store.put(path, Buffer.from("x"));
    const paths = async (prefix: string, from?: string) =>
      (await store.list(prefix, from)).map((o) => o.path);
    expect(await paths("log/")).toEqual(["log/1", "log/10", "log/2", "log/sub/3"]);
    expect(await paths("log/", "log/10")).toEqual(["log/10", "log/2", "log/sub/3"]);
    expect(await paths("log")).toHaveLength(5);
    expect(await paths("none/")).toEqual([]);
    expect(await store.within("log").list("sub/")).toMatchObject([{ path: "sub/3", size: 1 }]);
  });

  it("gives one of 20 rivals the name, and readers never see a part", async () => {
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

  it("refuses paths that leave the root", async () => {
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
