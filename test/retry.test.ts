import { expect, it } from "vitest";
import { type RetryOptions, retrying, retryRule } from "../lakehouse/retry.ts";

/** Fails with these codes, one a try, and then succeeds; tells how often it was tried and how long it paused. */
async function run(codes: readonly string[], options: Partial<RetryOptions> = {}) {
  let tries = 0;
  const pauses: number[] = [];
  const outcome = await retrying(
    async () => {
      const code = codes[tries++];
      if (code !== undefined) throw Object.assign(new Error(code), { code });
      return "done";
    },
    {
      codesOf: (error) => [(error as { code: string }).code],
      pause: async (milliseconds) => pauses.push(milliseconds),
      random: () => 1,
      ...options,
    },
  ).catch((error: Error) => `failed: ${error.message}`);
  return { outcome, tries, pauses };
}

it("repeats by the table until it succeeds", async () => {
  expect(await run([])).toEqual({ outcome: "done", tries: 1, pauses: [] });
  expect(await run(["ECONNRESET", "HTTP_503", "SlowDown"])).toEqual({
    outcome: "done",
    tries: 4,
    pauses: [100, 200, 800],
  });
});

it("ends, whatever happens", async () => {
  for (const code of ["ECONNREFUSED", "SlowDown", "ConditionalRequestConflict", "InternalError"]) {
    const { delays = [] } = retryRule([code]) ?? {};
    const { outcome, tries, pauses } = await run(Array.from({ length: 100 }, () => code));
    expect(outcome).toBe(`failed: ${code}`);
    expect(tries).toBe(delays.length + 1);
    expect(pauses).toEqual(delays);
  }
  expect((await run(Array.from({ length: 100 }, (_, i) => (i % 2 ? "SlowDown" : "EPIPE")))).tries).toBe(7);
});

it("does not repeat what cannot get better", async () => {
  expect(await run(["AccessDenied"])).toMatchObject({ outcome: "failed: AccessDenied", tries: 1 });
  expect(await run(["toString"])).toMatchObject({ tries: 1 });
});

it("repeats unrepeatable work only where it cannot have been done", async () => {
  expect(await run(["SlowDown", "EAI_AGAIN"], { repeatable: false })).toMatchObject({ outcome: "done" });
  for (const code of ["ECONNRESET", "TimeoutError", "HTTP_500", "ServiceUnavailable"])
    expect(await run([code], { repeatable: false })).toMatchObject({ outcome: `failed: ${code}`, tries: 1 });
});

it("spreads pauses over half of their length", async () => {
  expect((await run(["SlowDown"], { random: () => 0 })).pauses).toEqual([100]);
});

it("goes by the most specific code", () => {
  expect(retryRule(["SlowDown", "HTTP_503"])?.applied).toBe("never");
  expect(retryRule(["Unheard", "HTTP_503"])?.applied).toBe("maybe");
  expect(retryRule(["NoSuchKey", "HTTP_404"])).toBeUndefined();
});
