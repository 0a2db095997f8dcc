/** Leases against rivals, slow and failing stores, clocks that differ and processes that stand still. */
import { describe, expect, it } from "vitest";
import { guardedStore } from "../../lakehouse/lease/guarded-store.ts";
import type { Lease } from "../../lakehouse/lease/held-lease.ts";
import { leasePath } from "../../lakehouse/lease/lease-file.ts";
import { Leases } from "../../lakehouse/lease/leases.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { type FaultSource, faultyStore } from "../support/faulty-store.ts";
import { type ProcessClock, Timeline } from "./timeline.ts";

const LENGTH = 15_000;

function candidate(store: ObjectStore, owner: string, clock: ProcessClock): Leases {
  return new Leases(store, { owner, milliseconds: LENGTH, clock });
}

/** The lease, or a failure of the test. */
async function taken(leases: Leases): Promise<Lease> {
  const lease = await leases.tryTake("job");
  if (lease === undefined) throw new Error("the lease is not free");
  return lease;
}

describe("a lease", () => {
  it("is held by one, renewed, given back and taken by the next at once", async () => {
    const timeline = new Timeline();
    const store = new MemoryStore();
    const [a, b] = [candidate(store, "a", timeline.clock()), candidate(store, "b", timeline.clock())];
    const first = await taken(a);
    expect(first).toMatchObject({ name: "job", epoch: 1, owner: "a" });
    for (let i = 0; i < 20; i++) {
      await timeline.pass(LENGTH);
      expect(await b.tryTake("job")).toBeUndefined();
      expect(await a.tryTake("job")).toBeUndefined();
    }
    expect(first.isHeld()).toBe(true);
    expect(await b.holding("job")).toMatchObject({ epoch: 1, owner: "a" });
    await first.release();
    expect(first.isHeld()).toBe(false);
    expect(first.signal.aborted).toBe(false);
    expect(await b.holding("job")).toBeUndefined();
    expect(await taken(b)).toMatchObject({ epoch: 2, owner: "b" });
  });

  it("of a process that died goes to who waits within its length", async () => {
    const timeline = new Timeline();
    const store = new MemoryStore();
    const clocks = [timeline.clock(), timeline.clock({ ahead: -3_600_000 })] as const;
    const dead = await taken(candidate(store, "a", clocks[0]));
    const b = candidate(store, "b", clocks[1]);
    let next: Lease | undefined;
    const waiting = (async () => {
      for (;;) {
        next = await b.tryTake("job");
        if (next !== undefined) return;
        await clocks[1].sleep(b.pollEvery);
      }
    })();
    await timeline.pass(100_000);
    expect(next).toBeUndefined();
    clocks[0].stop();
    await timeline.pass(LENGTH);
    await waiting;
    expect(next).toMatchObject({ epoch: 2, owner: "b" });
    // The dead one comes back: it does not believe in its lease for a moment.
    expect(dead.isHeld()).toBe(false);
    expect(() => dead.check()).toThrow(/no longer held/);
    clocks[0].resume();
    await timeline.pass(1);
    expect(dead.signal.aborted).toBe(true);
    await dead.release();
    expect(next?.isHeld()).toBe(true);
    expect(await b.holding("job")).toMatchObject({ epoch: 2, owner: "b" });
  });

  it("is lost by a machine that was suspended, whose timers saw nothing of it", async () => {
    let [now, elapsed] = [0, 0];
    const clock = { now: () => now, elapsed: () => elapsed, sleep: () => new Promise<void>(() => {}) };
    const lease = await new Leases(new MemoryStore(), { owner: "a", clock }).tryTake("job");
    now += 1_000;
    elapsed += 1_000;
    expect(lease?.isHeld()).toBe(true);
    now += 3_600_000;
    elapsed += 10;
    expect(lease?.isHeld()).toBe(false);
  });

  it("is lost when it cannot be renewed, before anybody else can have it", async () => {
    const timeline = new Timeline();
    const memory = new MemoryStore();
    let down = false;
    const store = faultyStore(memory, () => (down ? { failBefore: true } : undefined));
    const lease = await taken(candidate(store, "a", timeline.clock()));
    down = true;
    await timeline.pass(LENGTH * 0.6);
    expect(lease.signal.aborted).toBe(true);
    down = false;
    const b = candidate(store, "b", timeline.clock());
    expect(await b.tryTake("job")).toBeUndefined();
  });

  it("lives from before its renewal was written, however late the answer", async () => {
    const timeline = new Timeline();
    const memory = new MemoryStore();
    const clock = timeline.clock();
    let down = false;
    const slow: FaultSource = ({ method }) => ({
      failBefore: down,
      ...(method === "put" ? { after: () => clock.sleep(5_000) } : {}),
    });
    const lease = await taken(candidate(faultyStore(memory, slow), "a", clock));
    const b = candidate(memory, "b", timeline.clock());
    // Written at 3 s, answered at 8 s.
    await timeline.pass(3_001);
    expect(await b.tryTake("job")).toBeUndefined();
    await timeline.pass(5_000);
    down = true;
    await timeline.pass(10_000 - 5_001);
    expect(lease.isHeld()).toBe(false);
    await timeline.pass(5_001);
    expect(await b.tryTake("job")).toMatchObject({ epoch: 2 });
  });

  it("is not taken for abandoned by what was read long ago", async () => {
    const timeline = new Timeline();
    const memory = new MemoryStore();
    const lease = await taken(candidate(memory, "a", timeline.clock()));
    const clock = timeline.clock();
    let slow = false;
    const late = faultyStore(memory, ({ method }) =>
      slow && method === "get" ? { after: () => clock.sleep(12_000) } : undefined,
    );
    const b = candidate(late, "b", clock);
    expect(await b.tryTake("job")).toBeUndefined();
    slow = true;
    const second = b.tryTake("job");
    await timeline.pass(12_001);
    expect(await second).toBeUndefined();
    expect(lease.isHeld()).toBe(true);
  });

  it("is not taken by one who listed it several holdings ago", async () => {
    const timeline = new Timeline();
    const memory = new MemoryStore();
    const fast = candidate(memory, "fast", timeline.clock());
    await (await taken(fast)).release();
    let held: Lease | undefined;
    const overtaken = faultyStore(memory, [
      {
        before: async () => {
          for (let i = 0; i < 8; i++) await (await taken(fast)).release();
          held = await taken(fast);
        },
      },
    ]);
    expect(await candidate(overtaken, "slow", timeline.clock()).tryTake("job")).toBeUndefined();
    expect(held?.isHeld()).toBe(true);
    expect(await memory.get(leasePath("job", 1))).toBeUndefined();
  });

  it("is held by who created it when the store lost the answer, and by nobody when it did not create it", async () => {
    const timeline = new Timeline();
    const after = faultyStore(new MemoryStore(), [{ failAfter: true }]);
    expect(await candidate(after, "a", timeline.clock()).tryTake("job")).toMatchObject({ epoch: 1 });
    const before = candidate(faultyStore(new MemoryStore(), [{ failBefore: true }]), "a", timeline.clock());
    await expect(before.tryTake("job")).rejects.toThrow("connection lost before");
    expect(await before.tryTake("job")).toMatchObject({ epoch: 1 });
  });

  it("whose object nobody understands is held until it stays the same", async () => {
    const timeline = new Timeline();
    const store = new MemoryStore();
    await store.put(leasePath("job", 7), new TextEncoder().encode("{"));
    const a = candidate(store, "a", timeline.clock());
    expect(await a.tryTake("job")).toBeUndefined();
    await timeline.pass(LENGTH);
    expect(await a.tryTake("job")).toMatchObject({ epoch: 8 });
  });
});

it("a guarded store changes nothing once its guard refuses, in its folders neither", async () => {
  const store = new MemoryStore();
  let open = true;
  const guarded = guardedStore(store, () => {
    if (!open) throw new Error("closed");
  });
  const bytes = new Uint8Array([1]);
  await guarded.within("f").put("a", bytes);
  open = false;
  const inner = guarded.within("f");
  await expect(inner.put("a", new Uint8Array())).rejects.toThrow("closed");
  await expect(inner.putIfAbsent("b", bytes)).rejects.toThrow("closed");
  await expect(inner.putFile("c", "/nowhere")).rejects.toThrow("closed");
  await expect(inner.delete("a")).rejects.toThrow("closed");
  expect(await inner.get("a")).toEqual(bytes);
  expect((await guarded.list("")).map(({ path }) => path)).toEqual(["f/a"]);
});
