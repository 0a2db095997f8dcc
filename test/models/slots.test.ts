import fc from "fast-check";
import { expect, it } from "vitest";
import { Slots } from "../../layers/models/slots.ts";

/** Work that takes some turns, then waits for work before it, and comes to ask for a place at some time. */
const work = fc.record({
  turns: fc.nat({ max: 4 }),
  waitsFor: fc.option(fc.nat({ max: 20 })),
  asksAt: fc.nat({ max: 9 }),
});

it("gives so many places at most, and lets who waits for others not hold one", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(work, { maxLength: 20 }),
      fc.integer({ min: 1, max: 3 }),
      async (works, count) => {
        const slots = new Slots(count);
        let [busy, most] = [0, 0];
        const enter = () => {
          busy += 1;
          most = Math.max(most, busy);
        };
        const ended: Promise<number>[] = [];
        for (const [i, { turns, waitsFor, asksAt }] of works.entries()) {
          const other = waitsFor === null ? undefined : ended[waitsFor % Math.max(1, i)];
          const run = async () => {
            for (let turn = 0; turn < asksAt; turn++) await Promise.resolve();
            return slots.with(async (slot) => {
              enter();
              for (let turn = 0; turn < turns; turn++) await Promise.resolve();
              busy -= 1;
              if (other !== undefined) await slot.leaveTo(other);
              enter();
              await Promise.resolve();
              busy -= 1;
              return i;
            });
          };
          ended.push(run());
        }
        expect(await Promise.all(ended)).toEqual(works.map((_, i) => i));
        expect(most).toBeLessThanOrEqual(count);
      },
    ),
    { interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
  );
});

it("frees the place of work that fails, also while it is left to others", async () => {
  const slots = new Slots(1);
  const failing = slots.with(async (slot) => slot.leaveTo(Promise.reject(new Error("no"))));
  await expect(failing).rejects.toThrow("no");
  expect(await slots.with(async () => "next")).toBe("next");
});
