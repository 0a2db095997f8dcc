/** Audits of runs that change nothing: what is asked again, what is recorded of it, what is told. */
import { expect, it } from "vitest";
import { freshness, notNull, references, unique } from "../../layers/definition/audit.ts";
import { recordAudits } from "../../layers/models/audit/audit-log.ts";
import { build, buildModels } from "../../layers/models/build.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { queryTable } from "../support/lake.ts";
import { auditBench, auditPipeline, itemOf, NOW } from "./audit-shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const { settings, lakeAt, buildAll, withAudits, items, kinds } = auditBench(duckdb, folder);

it("holds a new audit against a table that no run changes, once", async () => {
  const lake = lakeAt();
  await kinds(lake);
  await items(lake, itemOf(1), itemOf(2, { email: "e1" }));
  await buildAll(lake, await auditPipeline(folder.path));
  const version = async () => (await lake.table("shop/silver/merged").existingSnapshot()).version;
  const first = await version();
  const strict = await withAudits("silver.merged", unique("email"));
  await expect(buildAll(lake, strict)).rejects.toMatchObject({
    code: "AUDIT_FAILED",
    next: expect.stringContaining("Its table is so already"),
  });
  expect(await version()).toBe(first);
  const lenient = await withAudits("silver.merged", unique("email").warn(), notNull("n"));
  const audits = async () =>
    (await buildAll(lake, lenient)).find(({ model }) => model === "silver.merged")?.audits;
  expect(await audits()).toMatchObject([{ status: "failed" }, { status: "passed" }]);
  expect(await version()).toBe(first + 1);
  // What failed is asked again, and recorded once.
  expect(await audits()).toMatchObject([{ audit: "unique(email)", status: "failed" }]);
  expect(await version()).toBe(first + 1);
  // Without .warn() it stops the build, though nothing changed.
  await expect(buildAll(lake, strict)).rejects.toMatchObject({ code: "AUDIT_FAILED" });
  expect(await version()).toBe(first + 1);
});

it("tells of a warning that a run which was killed did not log, and fills no log with it", async () => {
  const pipeline = await withAudits("silver.merged", unique("email").warn(), notNull("n").warn());
  const lake = lakeAt();
  await kinds(lake);
  await items(lake, itemOf(1), itemOf(2, { email: "e1" }));
  // The run ends between its commit and its log.
  await buildAll(lake, pipeline);
  const logged = async (run: string) => {
    const outcome = await buildModels(settings(lake), pipeline);
    await recordAudits(lake, "shop", run, outcome, new Date(Number(run)));
    const rows = await queryTable(lake, "shop/_ingot/audits", "SELECT run_id, audit, status FROM t");
    return rows.map(({ run_id, audit, status }) => `${run_id} ${audit} ${status}`).sort();
  };
  const told = "1 unique(email) failed";
  expect(await logged("1")).toEqual([told]);
  expect(await logged("2")).toEqual([told]);
  await items(lake, itemOf(2));
  const passed = ["3 notNull(n) passed", "3 unique(email) passed"];
  expect(await logged("3")).toEqual([told, ...passed]);
  expect(await logged("4")).toEqual([told, ...passed]);
});

it("asks again what failed by a table that it reads, and records that it holds now", async () => {
  const pipeline = await withAudits("silver.merged", references("kind", "silver.kinds", "kind").warn());
  const lake = lakeAt();
  await kinds(lake, "b");
  await items(lake, itemOf(1));
  const merged = async () => (await buildAll(lake, pipeline)).find(({ model }) => model === "silver.merged");
  expect(await merged()).toMatchObject({ version: 0, audits: [{ status: "failed" }] });
  await kinds(lake, "a");
  expect(await merged()).toMatchObject({ version: 1, audits: [{ status: "passed" }] });
  expect(await merged()).toMatchObject({ version: 1, audits: [] });
});

it("makes no version of an audit that cannot be made yet", async () => {
  const lake = lakeAt();
  await items(lake, itemOf(1));
  const pipeline = await withAudits("silver.merged", references("kind", "silver.kinds", "kind").warn());
  for (let i = 0; i < 3; i++) await build({ ...settings(lake), select: ["silver.merged"] }, pipeline);
  expect((await lake.table("shop/silver/merged").existingSnapshot()).version).toBe(0);
});

it("notices that a table which nothing changes grows old", async () => {
  let now = NOW;
  const lake = lakeAt(() => now);
  const pipeline = await withAudits("silver.merged", freshness({ column: "seen", within: 60 * 24 }));
  await kinds(lake);
  await items(lake, itemOf(1));
  await buildAll(lake, pipeline);
  const again = await buildAll(lake, pipeline);
  expect(again.map(({ status, audits }) => [status, audits])).toEqual(again.map(() => ["unchanged", []]));
  now += 1;
  await expect(buildAll(lake, pipeline)).rejects.toMatchObject({
    code: "AUDIT_FAILED",
    message: expect.stringContaining("newest 2026-01-01T00:00:00.000Z"),
  });
});
