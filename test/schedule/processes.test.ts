/** Several schedulers on one lake, by clocks of the test. */
import { describe, expect, it } from "vitest";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { RunRecords } from "../../layers/schedule/run-records.ts";
import { EPOCH, Timeline } from "../lease/timeline.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { job, LEASE, MINUTE, named, second, startProcess } from "./simulated.ts";

describe("of several processes", () => {
  it("one that looked before another ran, and takes the lease after it, does not run it again", async () => {
    const timeline = new Timeline();
    const store = new MemoryStore();
    const ran: string[] = [];
    const jobs = (owner: string) => () => [
      job("j", { cron: "* * * * *" }, async ({ due }) => ran.push(`${owner} ${second(due)}`)),
    ];
    const slow = timeline.clock();
    // Between its look at what is due and its lease.
    const late = faultyStore(store, ({ method, path }) =>
      method === "get" && path.endsWith("paused.json") ? { after: () => slow.sleep(5_000) } : undefined,
    );
    const b = startProcess(timeline, late, "b", jobs("b"), { ahead: 10 });
    const a = startProcess(timeline, store, "a", jobs("a"));
    await timeline.pass(2 * MINUTE + 30_000);
    expect(ran).toEqual(["a 60", "a 120"]);
    // It did hold the lease.
    expect((await store.list("_ingot/leases/")).length).toBeGreaterThan(2);
    await Promise.all([a.scheduler.stop(), b.scheduler.stop()]);
  });

  it("one takes over from a dead one within the lease's time, and the dead one may do nothing when it wakes", async () => {
    const timeline = new Timeline();
    const store = new MemoryStore();
    const log: string[] = [];
    const start = (owner: string) =>
      startProcess(timeline, store, owner, (clock) => [
        job("j", { cron: "0 * * * *", missed: "skip" }, async ({ check, epoch }) => {
          log.push(`${owner} begins ${epoch}`);
          await clock.sleep(20_000);
          check();
          log.push(`${owner} ends`);
        }),
      ]);
    const a = start("a");
    await timeline.pass(60 * MINUTE + 5_000);
    const b = start("b");
    await timeline.pass(1_000);
    expect(log).toEqual(["a begins 1"]);
    a.kill();
    await timeline.pass(LEASE);
    expect(log).toEqual(["a begins 1", "b begins 2"]);
    // It wakes in the middle of the other's run.
    a.clock.resume();
    await timeline.pass(5_000);
    expect(named(a.events).at(-1)).toBe("run left");
    await timeline.pass(20_000);
    expect(log).toEqual(["a begins 1", "b begins 2", "b ends"]);
    expect(b.events).toContainEqual(expect.objectContaining({ event: "run started", deaths: 1 }));
    await Promise.all([a.scheduler.stop(), b.scheduler.stop()]);
  });

  it("a run that one died of is run however late, also where missed ones are skipped", async () => {
    const timeline = new Timeline();
    const store = new MemoryStore();
    const log: string[] = [];
    const start = (owner: string) =>
      startProcess(timeline, store, owner, (clock) => [
        job("j", { cron: "0 * * * *", missed: "skip" }, async ({ due }) => {
          log.push(`${owner} ${second(due)}`);
          await clock.sleep(1_000);
        }),
      ]);
    const a = start("a");
    await timeline.pass(60 * MINUTE + 500);
    a.kill();
    await timeline.pass(30 * MINUTE);
    const b = start("b");
    await timeline.pass(20_000);
    expect(log).toEqual(["a 3600", "b 3600"]);
    await b.scheduler.stop();
  });

  it("that stop, the run goes to another at once, which counts nobody as dead", async () => {
    const timeline = new Timeline();
    const store = new MemoryStore();
    const log: string[] = [];
    const start = (owner: string) =>
      startProcess(timeline, store, owner, (clock) => [
        job("j", { cron: "0 * * * *" }, async ({ signal, check }) => {
          await clock.sleep(60_000, signal);
          check();
          log.push(owner);
        }),
      ]);
    const a = start("a");
    await timeline.pass(60 * MINUTE + 5_000);
    const b = start("b");
    await timeline.pass(1_000);
    await a.scheduler.stop();
    expect(named(a.events).slice(-3)).toEqual(["stopping", "run left", "stopped"]);
    await timeline.pass(70_000);
    expect(log).toEqual(["b"]);
    expect(b.events).toContainEqual(expect.objectContaining({ event: "run started", deaths: 0 }));
    await b.scheduler.stop();
  });

  it("none runs a job that is paused, until it is resumed", async () => {
    const timeline = new Timeline();
    const store = new MemoryStore();
    const ran: number[] = [];
    const start = (owner: string) =>
      startProcess(timeline, store, owner, () => [
        job("j", { cron: "* * * * *" }, async ({ due }) => ran.push(second(due))),
      ]);
    const [a, b] = [start("a"), start("b")];
    await timeline.pass(MINUTE + 1_000);
    const records = new RunRecords(store, "p.j");
    expect(await records.pause({ by: "somebody", at: "now" })).toBe(true);
    expect(await records.pause({ by: "another", at: "now" })).toBe(false);
    await timeline.pass(5 * MINUTE);
    expect(ran).toEqual([60]);
    expect(a.scheduler.state.jobs[0]?.paused).toBe(true);
    await records.resume();
    await timeline.pass(5_000);
    expect(ran).toEqual([60, 360]);
    expect(b.scheduler.state.jobs[0]?.paused).toBe(false);
    await Promise.all([a.scheduler.stop(), b.scheduler.stop()]);
  });

  it("no more die of one run than 20", async () => {
    const timeline = new Timeline();
    const store = new MemoryStore();
    for (let i = 0; i < 21; i++) {
      const deadly = startProcess(timeline, store, `p${i}`, () => [
        job("j", { cron: "0 * * * *" }, () => {
          deadly.kill();
          return new Promise(() => {});
        }),
      ]);
      await timeline.pass(i === 0 ? 60 * MINUTE + 1_000 : 2 * LEASE);
      deadly.kill();
    }
    expect(await new RunRecords(store, "p.j").readDone(EPOCH + 60 * MINUTE)).toMatchObject({
      status: "failed",
      attempts: 0,
      error: { code: "RUN_DEADLY" },
    });
  });
});
