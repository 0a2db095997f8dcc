/** What watches cost that have nothing to tell. */
import { expect, it } from "vitest";
import { watchAlerts } from "../../jobs/observe/alerts.ts";
import { SharedObservation } from "../../jobs/observe/shared-observation.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { parseConfig } from "../../layers/definition/config.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { Timeline } from "../lease/timeline.ts";
import { faultyStore } from "../support/faulty-store.ts";

const pipeline = (name: string): PipelineDefinition => ({
  name,
  source: postgres({ tables: {} }),
  schedules: { j: { cron: "* * * * *", run: async () => {} } },
});

/** Watches over so many pipelines, by a clock of the test; failures of runs are all that they look for. */
function watchOver(count: number) {
  const timeline = new Timeline();
  const calls: Record<string, number> = {};
  const store = faultyStore(new MemoryStore(), ({ method }) => {
    calls[method] = (calls[method] ?? 0) + 1;
    return undefined;
  });
  const pipelines = Array.from({ length: count }, (_, i) => pipeline(`p${i}`));
  const settings = { alerts: { url: "http://127.0.0.1:1/", on: ["failure"] }, pipelines };
  const alerts = watchAlerts({ config: parseConfig(settings, {}, "test"), lake: { store } }, pipelines, {
    owner: "a",
    leaseMilliseconds: 15_000,
    observation: new SharedObservation(() => Promise.reject(new Error("nobody asks"))),
    emit: () => {},
    clock: timeline.clock(),
  });
  return { timeline, calls, end: async () => alerts?.end() };
}

it("an hour of one pipeline takes few requests that are paid for", async () => {
  const { timeline, calls, end } = watchOver(1);
  await timeline.pass(3_600_000);
  const { list = 0, put = 0 } = calls;
  // Its lease is renewed every 24 s; every 30 s it looks at the records of its one job, and at reports.
  expect(put).toBeGreaterThan(100);
  expect(put).toBeLessThan(160);
  expect(list).toBeGreaterThan(200);
  expect(list).toBeLessThan(420);
  await end();
});

it("many pipelines in one process are no reason to warn", async () => {
  const warnings: string[] = [];
  const note = ({ name, message }: Error) => void warnings.push(`${name}: ${message}`);
  process.on("warning", note);
  const { timeline, end } = watchOver(30);
  await timeline.pass(120_000);
  await end();
  process.off("warning", note);
  expect(warnings).toEqual([]);
});
