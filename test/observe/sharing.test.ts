/** Observations that fail, hang, or are asked for by many. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Observation } from "../../jobs/observe/observation.ts";
import { Parts, type Unfinished } from "../../jobs/observe/parts.ts";
import { SharedObservation } from "../../jobs/observe/shared-observation.ts";
import { WaitingWal } from "../../jobs/observe/waiting-wal.ts";

const made = (age = 0): Observation => {
  return { at: Date.now() - age, tables: [], quarantines: [], slots: [], published: [], errors: [] };
};
const never = () => new Promise<never>(() => {});

it("makes one for all who ask at once, and no other while it is fresh", async () => {
  let times = 0;
  let give: (observation: Observation) => void = () => {};
  const told: Observation[] = [];
  const shared = new SharedObservation(() => {
    times += 1;
    return new Promise((resolve) => {
      give = resolve;
    });
  });
  shared.onMade((observation) => told.push(observation));
  const asked = Array.from({ length: 20 }, () => shared.newest());
  const first = made();
  give(first);
  expect(new Set(await Promise.all(asked))).toEqual(new Set([first]));
  expect(await shared.newest()).toBe(first);
  expect([times, told]).toEqual([1, [first]]);
});

it("gives the one before while a new one takes long, until that is too old; and nothing where it fails", async () => {
  let observe: () => Promise<Observation> = async () => made(200_000);
  const shared = new SharedObservation(() => observe(), { patience: 1 });
  const before = await shared.newest();
  expect(before).toBeDefined();
  observe = never;
  expect(await shared.newest()).toBe(before);
  const old = new SharedObservation(() => observe(), { patience: 1 });
  observe = async () => made(310_000);
  // As it is made it is the newest there is.
  expect(await old.newest()).toBeDefined();
  observe = async () => {
    throw new Error("no");
  };
  expect(await old.newest()).toBeUndefined();
  observe = never;
  expect(await old.newest()).toBeUndefined();
  // One that hangs is not begun again.
  observe = async () => made();
  expect(await old.newest()).toBeUndefined();
});

it("lets nobody wait for one that it will not make any more", async () => {
  const shared = new SharedObservation(never, { patience: 600_000 });
  const waiting = shared.newest();
  await shared.close(1);
  expect(await waiting).toBeUndefined();
  expect(await shared.newest()).toBeUndefined();
});

it("a part that fails or hangs is named, without secrets, and keeps no other from being there", async () => {
  const unfinished: Unfinished = { running: new Map(), late: new Map() };
  let begun = 0;
  let give: (value: number) => void = () => {};
  const slow = () => {
    begun += 1;
    return new Promise<number>((resolve) => {
      give = resolve;
    });
  };
  const look = async (milliseconds: number) => {
    const parts = new Parts(unfinished, milliseconds);
    const found = await Promise.all([
      parts.look("good", async () => 1),
      parts.look("bad", async () => {
        throw new Error("postgres://u:s3cret@h/d is away");
      }),
      parts.look("slow", slow),
    ]);
    return { found, errors: parts.errors };
  };
  const first = await look(20);
  expect(first.found).toEqual([1, undefined, undefined]);
  expect(first.errors).toEqual([
    { what: "bad", error: { message: "postgres://u:***@h/d is away" } },
    { what: "slow", error: expect.objectContaining({ code: "OBSERVATION_LATE" }) },
  ]);
  await look(20);
  expect(begun).toBe(1);
  const third = look(600_000);
  give(7);
  expect((await third).found).toEqual([1, undefined, 7]);
  expect(unfinished.running.size).toBe(0);
  // Whose turn comes after the end is not begun at all.
  expect((await look(0)).found).toEqual([undefined, undefined, undefined]);
  expect(begun).toBe(1);
});

it("an answer that comes too late is that of the next who cannot wait, for five minutes, until there is a newer", async () => {
  const unfinished: Unfinished = { running: new Map(), late: new Map() };
  const began: ((answer: number) => void)[] = [];
  const slow = () => new Promise<number>((resolve) => began.push(resolve));
  const look = async (work: () => Promise<number> = slow, milliseconds = 20) => {
    const parts = new Parts(unfinished, milliseconds);
    const found = await parts.look("slow", work);
    return [found, parts.errors.map(({ error }) => error.code)];
  };
  const LATE = [undefined, ["OBSERVATION_LATE"]];
  const answer = async (value: number) => {
    const running = unfinished.running.get("slow");
    began.pop()?.(value);
    await running;
  };
  expect(await look()).toEqual(LATE);
  await answer(1);
  expect(await look()).toEqual([1, []]);
  // As long as nothing newer has come.
  expect(await look()).toEqual([1, []]);
  await answer(2);
  expect(await look()).toEqual([2, []]);
  const [[what, late] = ["", undefined]] = unfinished.late;
  if (late === undefined) throw new Error("nothing is kept");
  unfinished.late.set(what, { ...late, begun: late.begun - 300_000 });
  expect(await look()).toEqual(LATE);
  await answer(3);
  // One that fails is not covered up by an answer of before.
  const failing = async () => {
    throw new Error("no");
  };
  expect(await look(failing, 600_000)).toEqual([undefined, [undefined]]);
  expect(await look()).toEqual(LATE);
  await answer(4);
  expect(await look(async () => 5, 600_000)).toEqual([5, []]);
  expect(await look()).toEqual(LATE);
});

it("says how long WAL has been waiting: never more, and less by no more than two looks lie apart", () => {
  const step = fc.record({ wait: fc.integer({ min: 1, max: 100 }), write: fc.nat(5), take: fc.nat(5) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
      const waiting = new WaitingWal();
      // When each byte was written.
      const written: number[] = [];
      let [now, acknowledged, before] = [0, 0, 0];
      let first: number | undefined;
      for (const { wait, write, take } of steps) {
        now += wait;
        for (let i = 0; i < write; i++) written.push(now - (wait * (i % 2)) / 2);
        acknowledged = Math.min(written.length, acknowledged + take);
        const said = waiting.note(now, written.length, acknowledged);
        const oldest = Math.min(...written.slice(acknowledged));
        const truth = oldest === Number.POSITIVE_INFINITY ? 0 : now - oldest;
        first ??= now;
        const seen = Math.min(truth, now - first);
        expect(said).toBeLessThanOrEqual(truth);
        expect(said).toBeGreaterThanOrEqual(seen - Math.max(wait, before, 100));
        before = wait;
      }
    }),
  );
});

it("begins anew for another slot or another history, and remembers no more than it needs", () => {
  const waiting = new WaitingWal();
  expect(waiting.note(0, 100, 50)).toBe(0);
  expect(waiting.note(1000, 100, 50)).toBe(1000);
  // Acknowledged less than before.
  expect(waiting.note(2000, 100, 40)).toBe(0);
  expect(waiting.note(3000, 100, 40)).toBe(1000);
  // The source has written less than before.
  expect(waiting.note(4000, 90, 40)).toBe(0);
  expect(waiting.note(5000, 90, 90)).toBe(0);
  for (let i = 0; i < 5000; i++) waiting.note(10_000 + i, 100 + i, 95);
  expect(waiting.note(20_000, 6000, 95)).toBe(10_000);
  expect((waiting as unknown as { seen: unknown[] }).seen.length).toBeLessThanOrEqual(1001);
});
