import { expect, it } from "vitest";
import { Remembered } from "../../lakehouse/cache/remembered.ts";

/** Asks for a text; says whether it was made anew. */
function asking(most: number) {
  const remembered = new Remembered<string>(most);
  return async (text: string) => {
    let isMade = false;
    const value = await remembered.get(text, async () => {
      isMade = true;
      return `${text}!`;
    });
    expect(value).toBe(`${text}!`);
    return isMade;
  };
}

it("makes a thing once, and forgets first what was not asked for the longest time", async () => {
  const isMade = asking(2);
  expect([await isMade("a"), await isMade("b"), await isMade("a")]).toEqual([true, true, false]);
  expect(await isMade("c")).toBe(true);
  expect([await isMade("a"), await isMade("b")]).toEqual([false, true]);
});

it("gives those who ask at the same time the same, and makes anew what failed", async () => {
  const remembered = new Remembered<number>(2);
  let made = 0;
  const fail = async () => {
    made += 1;
    throw new Error("no");
  };
  const both = await Promise.allSettled([remembered.get("a", fail), remembered.get("a", fail)]);
  expect([made, both.map(({ status }) => status)]).toEqual([1, ["rejected", "rejected"]]);
  expect(await remembered.get("a", async () => 7)).toBe(7);
});

it("does not keep what a long text is made into", async () => {
  const isMade = asking(2);
  const long = "x".repeat(20_000);
  expect([await isMade(long), await isMade(long)]).toEqual([true, true]);
});
