/** Models are built after what their audits read, where that is possible; else audits see what was there before. */
import { expect, it } from "vitest";
import type { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress, type ProgressEvent } from "../../lakehouse/progress.ts";
import { references, sql } from "../../layers/definition/audit.ts";
import { build } from "../../layers/models/build.ts";
import { readModels } from "../../layers/models/model.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";
import { auditPipeline, changeBronze, itemOf, sqlText, upsert } from "./audit-shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const settings = (lake: Lake) => ({ lake, concurrency: 1, onProgress: ignoreProgress });
const items = (lake: Lake, id: number, kind: string) =>
  changeBronze(lake, duckdb, "items", [upsert(itemOf(id, { kind }))]);
const kinds = (lake: Lake, kind: string) =>
  changeBronze(lake, duckdb, "kinds", [upsert([sqlText(kind), "'x'"])]);

it("builds a model after a later one that its audits read, from the first build on", async () => {
  const pipeline = await auditPipeline(folder.path, {
    audits: { "silver.kinds": [references("kind", "gold.listed", "kind")] },
  });
  const names = (await readModels(duckdb, pipeline)).map(({ name }) => name);
  expect(names.indexOf("silver.kinds")).toBeGreaterThan(names.indexOf("gold.listed"));
  const lake = newLake(folder.path, duckdb);
  for (const [i, kind] of ["a", "b"].entries()) {
    await items(lake, i, kind);
    await kinds(lake, kind);
    const reports = await build(settings(lake), pipeline);
    expect(reports.find(({ model }) => model === "silver.kinds")?.audits).toMatchObject([
      { status: "passed" },
    ]);
  }
});

it("lets one of two whose audits read each other see what was there before, the same in every build", async () => {
  const pipeline = await auditPipeline(folder.path, {
    audits: {
      "silver.kinds": [references("kind", "silver.merged", "kind")],
      "silver.merged": [references("kind", "silver.kinds", "kind").warn()],
    },
  });
  const lake = newLake(folder.path, duckdb);
  const buildWith = async (kind: string) => {
    await items(lake, 1, kind);
    await kinds(lake, "a");
    const reports = await build({ ...settings(lake), concurrency: 4 }, pipeline);
    return reports.find(({ model }) => model === "silver.merged")?.audits;
  };
  expect(await buildWith("a")).toMatchObject([
    { status: "skipped", detail: "silver.kinds is not there yet" },
  ]);
  expect(await buildWith("a")).toMatchObject([{ status: "passed" }]);
});

it("does not see what a later model made faster", async () => {
  const pipeline = await auditPipeline(folder.path, {
    sql: { "gold/loose": "SELECT id, kind, n, email, seen FROM gold.listed" },
    audits: {
      "silver.merged": [
        sql("no second", "FROM gold.loose WHERE id = 2").warn(),
        references("kind", "silver.kinds", "kind"),
      ],
    },
  });
  const lake = newLake(folder.path, duckdb);
  const buildOnly = (...select: string[]) => build({ ...settings(lake), select }, pipeline);
  await kinds(lake, "a");
  await items(lake, 1, "a");
  await build(settings(lake), pipeline);
  await items(lake, 2, "a");
  await buildOnly("silver.merged", "gold.listed");
  await items(lake, 3, "a");
  // The audited model waits for another one; the later one waits for none, as what is between is not built.
  await kinds(lake, "b");
  const reports = await buildOnly("silver.kinds", "silver.merged", "gold.loose");
  expect(reports.map(({ model, status }) => [model, status])).toEqual([
    ["silver.kinds", "incremental"],
    ["silver.merged", "incremental"],
    ["gold.loose", "rebuilt"],
  ]);
  expect(reports[1]?.audits).toMatchObject([{ audit: "no second", status: "passed" }, { status: "passed" }]);
});

it("begins no model before another has ended where there is one place and nobody to wait for", async () => {
  const toKinds = [references("kind", "silver.kinds", "kind")];
  const pipeline = await auditPipeline(folder.path, {
    audits: { "silver.merged": toKinds, "gold.listed": toKinds, "gold.loose": toKinds },
  });
  const lake = newLake(folder.path, duckdb);
  const open = new Set<string>();
  let most = 0;
  const onProgress = ({ task, state }: ProgressEvent) => {
    if (state === "running") open.add(task);
    else open.delete(task);
    most = Math.max(most, open.size);
  };
  for (const id of [1, 2]) {
    await kinds(lake, "a");
    await items(lake, id, "a");
    const reports = await build({ lake, concurrency: 1, onProgress }, pipeline);
    expect(reports.flatMap(({ audits }) => audits).every(({ status }) => status === "passed")).toBe(true);
  }
  expect([open.size, most]).toEqual([0, 1]);
});
