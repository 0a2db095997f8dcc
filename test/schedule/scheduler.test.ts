/** What a scheduler does, by a clock of the test. */
import { describe, expect, it } from "vitest";
import { TerminalError } from "../../lakehouse/errors.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { RunRecords } from "../../layers/schedule/run-records.ts";
import { EPOCH, Timeline } from "../lease/timeline.ts";
import { away, job, MINUTE, named, nothing, second, single, startProcess } from "./simulated.ts";

describe("a schedule", () => {
  it("runs when it is due, each due time once, and says so", async () => {
    const { timeline, ran, start, records } = single({ cron: "* * * * *" }, async () => ({ rows: 3 }));
    const { events, scheduler } = start();
    await timeline.pass(3 * MINUTE + 500);
    expect(ran).toEqual([60, 120, 180]);
    expect(named(events)).toEqual([
      "started",
      ...["run started", "run ended"],
      ...["run started", "run ended"],
      ...["run started", "run ended"],
    ]);
    expect(await records.readDone(EPOCH + 2 * MINUTE)).toMatchObject({
      status: "succeeded",
      attempts: 1,
      owner: "a",
      due: "2026-01-01T00:02:00.000Z",
    });
    expect(scheduler.state.jobs).toMatchObject([
      {
        job: "p.j",
        nextDue: "2026-01-01T00:04:00.000Z",
        lastSuccess: "2026-01-01T00:03:00.000Z",
        runs: { succeeded: 3, failed: 0 },
      },
    ]);
    await scheduler.stop();
  });

  it("starts late by its jitter, which is the same everywhere", async () => {
    const at: number[] = [];
    const { timeline, start } = single({ cron: "*/5 * * * *", jitterSeconds: 60 }, nothing);
    const { events, clock, scheduler } = start();
    for (let i = 0; i < 4_000; i++) {
      const before = events.length;
      await timeline.pass(1_000);
      if (events.slice(before).some(({ event }) => event === "run started")) at.push(second(clock.now()));
    }
    const delays = at.map((time) => time % 300);
    expect(at.length).toBe(13);
    for (const delay of delays) expect(delay).toBeLessThanOrEqual(61);
    expect(new Set(delays).size).toBeGreaterThan(5);
    await scheduler.stop();
  });

  it("runs each time, also where it may start later than the next is due", async () => {
    const { timeline, ran, start } = single({ cron: "*/10 * * * * *", jitterSeconds: 600 }, nothing);
    const { scheduler } = start();
    await timeline.pass(MINUTE + 10_000);
    expect(ran).toEqual([10, 20, 30, 40, 50, 60]);
    await scheduler.stop();
  });

  it.each([
    ["latest", [600], [600, 660]],
    ["all", [60, 120, 180, 240, 300, 360, 420, 480, 540, 600], undefined],
    ["skip", [], [660]],
  ] as const)("that was missed runs by its policy: %s", async (missed, atOnce, then) => {
    const { timeline, ran, start } = single({ cron: "* * * * *", missed }, nothing);
    // It is known, and nobody runs it for ten minutes and 50 seconds.
    const first = start();
    await timeline.pass(1_000);
    await first.scheduler.stop();
    await timeline.pass(10 * MINUTE + 49_000);
    const { scheduler } = start("b");
    await timeline.pass(100);
    expect(ran).toEqual(atOnce);
    await timeline.pass(MINUTE);
    expect(ran).toEqual(then ?? [...atOnce, 660]);
    await scheduler.stop();
  });

  it("does not overlap itself: due times that pass while it runs are missed", async () => {
    let active = 0;
    const schedule = { cron: "*/10 * * * * *" };
    const timeline = new Timeline();
    const store = new MemoryStore();
    const ran: number[] = [];
    const start = (owner: string, ahead: number) =>
      startProcess(
        timeline,
        store,
        owner,
        (clock) => [
          job("j", schedule, async ({ due }) => {
            ran.push(second(due));
            expect(++active).toBe(1);
            await clock.sleep(25_000);
            active -= 1;
          }),
        ],
        { ahead },
      );
    const [a, b] = [start("a", 0), start("b", 700)];
    await timeline.pass(2 * MINUTE);
    expect(ran.slice(0, 3)).toEqual([10, 30, 60]);
    expect(new Set(ran).size).toBe(ran.length);
    const stopped = Promise.all([a.scheduler.stop(), b.scheduler.stop()]);
    await timeline.pass(MINUTE);
    await stopped;
  });

  it("is not run again for the past when its timetable changes", async () => {
    const { timeline, store, start } = single({ cron: "0 0 * * *", missed: "all" }, nothing);
    const first = start();
    await timeline.pass(1_000);
    await first.scheduler.stop();
    await timeline.pass(60 * MINUTE);
    const ran: number[] = [];
    const second_ = startProcess(timeline, store, "b", () => [
      job("j", { cron: "* * * * *", missed: "all" }, async ({ due }) => ran.push(second(due))),
    ]);
    await timeline.pass(2 * MINUTE);
    expect(ran).toEqual([3660, 3720]);
    await second_.scheduler.stop();
  });
});

describe("a run that fails", () => {
  it("is tried again after 5 s, 30 s and 2 min, under the same lease, and then recorded", async () => {
    const at: number[] = [];
    const { timeline, start, records } = single({ cron: "0 * * * *", retries: 3 }, async () => {
      at.push(second(clock.now()) - 3600);
      throw away();
    });
    const { clock, events, scheduler } = start();
    await timeline.pass(60 * MINUTE + 5 * MINUTE);
    expect(at).toEqual([0, 5, 35, 155]);
    expect(await records.readDone(EPOCH + 60 * MINUTE)).toMatchObject({
      status: "failed",
      attempts: 4,
      error: { code: "AWAY", message: "the service is away" },
    });
    expect(named(events).filter((event) => event === "run failed")).toHaveLength(3);
    expect(scheduler.state.jobs[0]?.last).toMatchObject({ status: "failed", error: { code: "AWAY" } });
    await scheduler.stop();
  });

  it("for good is not tried again, and its error shows no secret", async () => {
    const { timeline, ran, start, records } = single({ cron: "* * * * *" }, async () => {
      throw new TerminalError("no such database at postgres://u:s3cret@host/db", { code: "WRONG" });
    });
    const { events, scheduler } = start();
    await timeline.pass(2 * MINUTE);
    expect(ran).toEqual([60, 120]);
    const done = await records.readDone(EPOCH + MINUTE);
    expect(done).toMatchObject({ status: "failed", attempts: 1, error: { code: "WRONG" } });
    expect(JSON.stringify([done, events])).not.toContain("s3cret");
    await scheduler.stop();
  });

  it("whose time is over may change nothing more, keeps its lease until it ends, and is recorded", async () => {
    const timeline = new Timeline();
    const store = new MemoryStore();
    let refused = 0;
    const jobs = (name: string) => (clock: ReturnType<Timeline["clock"]>) => [
      job("j", { cron: "* * * * *", timeoutSeconds: 10, retries: 0 }, async ({ signal, check }) => {
        // It does not look at the signal for 50 seconds.
        await clock.sleep(50_000);
        expect(signal.aborted).toBe(true);
        refused += 1;
        check();
        throw new Error(`${name} was not refused`);
      }),
    ];
    const a = startProcess(timeline, store, "a", jobs("a"));
    const b = startProcess(timeline, store, "b", jobs("b"));
    await timeline.pass(MINUTE + 30_000);
    expect([...named(a.events), ...named(b.events)].filter((event) => event === "run started")).toHaveLength(
      1,
    );
    expect([...named(a.events), ...named(b.events)]).toContain("run late");
    await timeline.pass(25_000);
    expect(refused).toBe(1);
    const records = new RunRecords(store, "p.j");
    expect(await records.readDone(EPOCH + MINUTE)).toMatchObject({
      status: "timed out",
      error: { code: "RUN_TIMED_OUT" },
    });
    const stopped = Promise.all([a.scheduler.stop(), b.scheduler.stop()]);
    await timeline.pass(MINUTE);
    await stopped;
  });

  it("as its record cannot be written is run again", async () => {
    const { timeline, store, start, ran } = single({ cron: "* * * * *" }, nothing);
    const putIfAbsent = store.putIfAbsent.bind(store);
    let failures = 1;
    store.putIfAbsent = async (path, bytes) => {
      if (path.endsWith(".done.json") && failures-- > 0) throw away();
      return putIfAbsent(path, bytes);
    };
    const { events, scheduler } = start();
    await timeline.pass(MINUTE + 10_000);
    expect(ran).toEqual([60, 60]);
    expect(events).toContainEqual(
      expect.objectContaining({ event: "trouble", error: expect.objectContaining({ code: "AWAY" }) }),
    );
    expect(scheduler.state.jobs[0]?.trouble).toBeUndefined();
    await scheduler.stop();
  });
});
