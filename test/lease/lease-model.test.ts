/** Any processes on one lease: slow and failing stores, clocks that differ, standstills. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Lease } from "../../lakehouse/lease/held-lease.ts";
import { Leases } from "../../lakehouse/lease/leases.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { type Fault, type FaultSource, faultyStore } from "../support/faulty-store.ts";
import { type ProcessClock, Timeline } from "./timeline.ts";

const LENGTH = 15_000;

interface Contender {
  readonly clock: ProcessClock;
  lease: Lease | undefined;
  cutOff: boolean;
}

/** What happens to processes. */
const ACTS = {
  release: (own: Contender) => void own.lease?.release(),
  stop: (own: Contender) => own.clock.stop(),
  resume: (own: Contender) => own.clock.resume(),
  cutOff: (own: Contender) => {
    own.cutOff = true;
  },
  connect: (own: Contender) => {
    own.cutOff = false;
  },
  nothing: () => {},
};

/** A call of a store that takes time, by the clock of who calls, and may fail. */
function slowCall(
  { before, after, fail }: { readonly before: number; readonly after: number; readonly fail: string },
  { clock, cutOff }: Contender,
  end: AbortSignal,
): Fault {
  return {
    before: () => clock.sleep(before, end),
    after: () => clock.sleep(after, end),
    failBefore: cutOff || fail === "before",
    failAfter: fail === "after",
  };
}

describe("of any processes", () => {
  const PROCESSES = 3;
  const step = fc.record({
    process: fc.nat({ max: PROCESSES - 1 }),
    act: fc.constantFrom("release", "stop", "resume", "stop", "resume", "cutOff", "connect", "nothing"),
    pass: fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 20_000 })),
  });
  const three = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: PROCESSES, maxLength: PROCESSES });
  const delay = fc.oneof({ weight: 6, arbitrary: fc.integer({ max: 50, min: 0 }) }, fc.nat({ max: 9_000 }));
  const plan = fc.record({
    rates: three(fc.double({ min: 0.98, max: 1.02, noNaN: true })),
    walls: three(fc.integer({ min: -1e7, max: 1e7 })),
    /** Milliseconds before and after each call of a store, and whether it fails: over and over. */
    faults: fc.array(
      fc.record({
        before: delay,
        after: delay,
        fail: fc.constantFrom("no", "no", "no", "no", "no", "no", "before", "after"),
      }),
      { minLength: 1, maxLength: 30 },
    ),
    steps: fc.array(step, { minLength: 5, maxLength: 60 }),
  });

  it("one at most holds a lease at any instant, and every holder's epoch is greater than the last", async () => {
    let holdings = 0;
    await fc.assert(
      fc.asyncProperty(plan, async ({ rates, walls, faults, steps }) => {
        const timeline = new Timeline();
        const memory = new MemoryStore();
        const end = new AbortController();
        const processes = rates.map((rate, i) => {
          const clock = timeline.clock({ rate, ahead: walls[i] ?? 0 });
          const own = { clock, lease: undefined as Lease | undefined, cutOff: false };
          let calls = i;
          const next = () => faults[calls++ % faults.length] ?? { before: 0, after: 0, fail: "no" };
          const slow: FaultSource = () => slowCall(next(), own, end.signal);
          const leases = new Leases(faultyStore(memory, slow), {
            owner: `p${i}`,
            milliseconds: LENGTH,
            clock,
          });
          void contend(leases, clock, end.signal, (lease) => {
            own.lease = lease;
          });
          return own;
        });
        let greatest = 0;
        let last: Lease | undefined;
        const look = () => {
          const held = processes.flatMap(({ lease }) => (lease?.isHeld() ? [lease] : []));
          expect(held.length).toBeLessThanOrEqual(1);
          const [lease] = held;
          if (lease === undefined || lease === last) return;
          expect(lease.epoch).toBeGreaterThan(greatest);
          greatest = lease.epoch;
          last = lease;
          holdings += 1;
        };
        for (const { process, act, pass } of steps) {
          const own = processes[process];
          if (own !== undefined) ACTS[act](own);
          await timeline.pass(pass, look);
        }
        end.abort();
      }),
      { numRuns: Number(process.env.INGOT_RUNS ?? 100) },
    );
    // Otherwise nothing was tried.
    expect(holdings).toBeGreaterThan(100);
  });
});

/** Tries to hold the lease again and again. */
async function contend(
  leases: Leases,
  clock: ProcessClock,
  end: AbortSignal,
  onTaken: (lease: Lease) => void,
): Promise<void> {
  while (!end.aborted) {
    const lease = await leases.tryTake("job").catch(() => undefined);
    if (lease !== undefined) {
      onTaken(lease);
      while (lease.isHeld() && !end.aborted) await clock.sleep(100, end);
    }
    await clock.sleep(leases.pollEvery, end);
  }
}
