/** Schedules that come after others, and those that follow changes, by a clock of the test. */
import { describe, expect, it } from "vitest";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { RunRecords } from "../../layers/schedule/run-records.ts";
import { Timeline } from "../lease/timeline.ts";
import { away, job, LEASE, MINUTE, named, nothing, second, seconds, startProcess } from "./simulated.ts";

describe("schedules that come after others", () => {
  it("wait for their success, whichever process it is in", async () => {
    const timeline = new Timeline();
    const store = new MemoryStore();
    const log: string[] = [];
    let broken = true;
    const first = (clock: ReturnType<Timeline["clock"]>) =>
      job("first", { cron: "0 * * * *", retries: 0 }, async () => {
        await clock.sleep(10_000);
        if (broken) throw away();
        log.push(`first ${second(clock.now())}`);
      });
    const then = (clock: ReturnType<Timeline["clock"]>) =>
      job(
        "then",
        { cron: "0 * * * *", after: ["first"] },
        async ({ due }) => log.push(`then ${second(due)} ${second(clock.now()) >= second(due) + 10}`),
        { after: [first(clock)] },
      );
    const a = startProcess(timeline, store, "a", (clock) => [first(clock)]);
    const b = startProcess(timeline, store, "b", (clock) => [then(clock)]);
    await timeline.pass(110 * MINUTE);
    // The first one failed, and what comes after it waits.
    expect(log).toEqual([]);
    broken = false;
    await timeline.pass(70 * MINUTE);
    expect(log).toEqual(["first 7210", "then 7200 true"]);
    await timeline.pass(5 * MINUTE);
    expect(log).toEqual(["first 7210", "then 7200 true", "first 10810", "then 10800 true"]);
    await Promise.all([a.scheduler.stop(), b.scheduler.stop()]);
  });

  it("and wait for long are not missed by that", async () => {
    const timeline = new Timeline();
    const log: number[] = [];
    const { scheduler } = startProcess(timeline, new MemoryStore(), "a", (clock) => {
      const slow = job("slow", { cron: "0 * * * *" }, () => clock.sleep(10 * MINUTE));
      const then = { cron: "0 * * * *", missed: "skip" as const, after: ["slow"] };
      return [slow, job("then", then, async () => log.push(second(clock.now())), { after: [slow] })];
    });
    await timeline.pass(75 * MINUTE);
    expect(log).toEqual([70 * 60]);
    await scheduler.stop();
  });

  it("and have no timetable run once all have succeeded anew", async () => {
    const timeline = new Timeline();
    const log: number[] = [];
    const { scheduler } = startProcess(timeline, new MemoryStore(), "a", (clock) => {
      const minutes = job("m", { cron: "* * * * *" }, nothing);
      const hours = job("h", { cron: "30 * * * *" }, nothing);
      const last = job("l", { after: ["m", "h"] }, async () => log.push(second(clock.now())), {
        after: [minutes, hours],
      });
      return [minutes, hours, last];
    });
    await timeline.pass(100 * MINUTE);
    expect(log).toEqual([1800, 5400]);
    await scheduler.stop();
  });
});

describe("a schedule that follows changes", () => {
  it("holds its lease all the time, builds after batches and when due, and ends when paused or stopped", async () => {
    const timeline = new Timeline();
    const store = new MemoryStore();
    const log: string[] = [];
    const start = (owner: string) =>
      startProcess(timeline, store, owner, (clock) => [
        job(
          "f",
          { cron: "*/10 * * * *", follow: { buildEverySeconds: 20 } },
          async () => log.push(`${owner} builds at ${second(clock.now())}`),
          {
            follow: async ({ signal, onBatch }) => {
              log.push(`${owner} follows`);
              while (!signal.aborted) {
                await clock.sleep(7_000, signal);
                if (second(clock.now()) <= 50) onBatch(1);
              }
              log.push(`${owner} ends`);
            },
          },
        ),
      ]);
    const a = start("a");
    await timeline.pass(100);
    const b = start("b");
    await timeline.pass(100_000);
    expect(log).toEqual([
      "a follows",
      "a builds at 7",
      "a builds at 27",
      "a builds at 47",
      // The batch at 49 s.
      "a builds at 67",
    ]);
    log.length = 0;
    await timeline.pass(500_000);
    expect(log).toEqual(["a builds at 600"]);
    log.length = 0;
    a.kill();
    await timeline.pass(LEASE);
    expect(log).toEqual(["b follows"]);
    const records = new RunRecords(store, "p.f");
    await records.pause({ by: "somebody", at: "now" });
    await timeline.pass(5_000);
    expect(log).toEqual(["b follows", "b ends"]);
    expect(b.scheduler.state.jobs[0]).toMatchObject({ following: false, paused: true });
    await records.resume();
    await timeline.pass(5_000);
    const stopped = b.scheduler.stop();
    await timeline.pass(1);
    await stopped;
    expect(log).toEqual(["b follows", "b ends", "b follows", "b ends"]);
    expect(seconds(b.events, "run ended")).toEqual([]);
  });

  it("begins anew after a failure, later each time", async () => {
    const timeline = new Timeline();
    const at: number[] = [];
    const { events, scheduler } = startProcess(timeline, new MemoryStore(), "a", (clock) => [
      job("f", { follow: true }, nothing, {
        follow: async () => {
          at.push(second(clock.now()));
          throw away();
        },
      }),
    ]);
    await timeline.pass(40_000);
    expect(at).toEqual([0, 2.5, 7.5, 17.5, 37.5]);
    expect(named(events).slice(0, 5)).toEqual(["started", "following", "followed", "trouble", "following"]);
    await scheduler.stop();
  });
});
