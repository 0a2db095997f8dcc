import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { type Fault, type FaultyMethod, faultyStore, randomFaults } from "./faulty-store.ts";

const x = Buffer.from("0123456789");

describe("a planned fault", () => {
  const act: Record<Exclude<FaultyMethod, "putFile">, (store: MemoryStore) => Promise<unknown>> = {
    list: (store) => store.list("a"),
    get: (store) => store.get("a"),
    getRange: (store) => store.getRange("a", 0, 5),
    put: (store) => store.put("b", x),
    putIfAbsent: (store) => store.putIfAbsent("b", x),
    delete: (store) => store.delete("a"),
  };

  it.each(Object.entries(act))(
    "of %s comes before or after it is carried out, and once",
    async (method, call) => {
      for (const fault of [{ failBefore: true }, { failAfter: true }] satisfies Fault[]) {
        const store = new MemoryStore();
        await store.put("a", x);
        const faulty = faultyStore(store, { [method]: [fault] }) as MemoryStore;
        await expect(call(faulty)).rejects.toMatchObject({ code: "STORE_CONNECTION_LOST" });
        const applied = "failAfter" in fault;
        if (method.startsWith("put")) expect((await store.get("b")) !== undefined).toBe(applied);
        if (method === "delete") expect((await store.get("a")) === undefined).toBe(applied);
        await call(faulty);
      }
    },
  );

  it("plants rivals before a call, and lets what happens after overtake its answer", async () => {
    const store = new MemoryStore();
    const plant = (path: string) => store.put(path, Buffer.from("rival"));
    const faulty = faultyStore(store, {
      putIfAbsent: [{ before: plant }],
      list: [{ after: () => plant("late") }],
    });
    expect(await faulty.putIfAbsent("a", x)).toBe(false);
    expect((await faulty.list("")).map((o) => o.path)).toEqual(["a"]);
    expect((await faulty.list("")).map((o) => o.path)).toEqual(["a", "late"]);
  });

  it("hides the newest names once, and tears bytes", async () => {
    const store = new MemoryStore();
    for (const path of ["1", "2", "3"]) await store.put(path, x);
    const faulty = faultyStore(store, {
      list: [{ missNewest: 2 }],
      get: [{ tear: 0.5 }],
      getRange: [{ tear: 0 }],
    });
    expect((await faulty.list("")).map((o) => o.path)).toEqual(["1"]);
    expect(await faulty.list("")).toHaveLength(3);
    expect(await faulty.get("1")).toHaveLength(5);
    expect(await faulty.getRange("1", 0, 5)).toHaveLength(0);
    expect(await faulty.get("1")).toHaveLength(10);
  });

  it("reaches the stores of sub-folders", async () => {
    const faulty = faultyStore(new MemoryStore(), [{ failBefore: true }])
      .within("a")
      .within("b");
    await expect(faulty.putIfAbsent("x", x)).rejects.toThrow("connection lost");
    expect(await faulty.putIfAbsent("x", x)).toBe(true);
  });
});

it("random faults are the same for the same seed, and as frequent as asked", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (seed) => {
      const rates = { failBefore: 0.2, failAfter: 0.1, missNewest: 0.5, tear: 1 };
      const faults = () => {
        const source = randomFaults(seed, rates, ["list", "get"]);
        return Array.from({ length: 500 }, (_, i) => source({ method: i % 2 ? "list" : "get", path: "a" }));
      };
      const drawn = faults();
      expect(faults()).toEqual(drawn);
      const share = (of: (fault?: Fault) => boolean) => drawn.filter(of).length / drawn.length;
      expect(share((f) => f?.failBefore === true)).toBeGreaterThan(0.05);
      expect(share((f) => f?.failBefore === true)).toBeLessThan(0.4);
      expect(share((f) => f?.tear !== undefined)).toBe(1);
    }),
  );
  expect(randomFaults(1, { failBefore: 1 }, ["list"])({ method: "get", path: "a" })).toBeUndefined();
});
