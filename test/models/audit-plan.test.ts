/** Audits that cannot be made are found before anything runs; audits decide no rows. */
import { expect, it } from "vitest";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import {
  type AuditDefinition,
  acceptedValues,
  freshness,
  notNull,
  references,
  rowCount,
  sql,
  unique,
} from "../../layers/definition/audit.ts";
import { parseConfig } from "../../layers/definition/config.ts";
import { aggregate } from "../../layers/definition/model.ts";
import { build } from "../../layers/models/build.ts";
import { readModels } from "../../layers/models/model.ts";
import { planBuild } from "../../layers/plan/plan-build.ts";
import { defineTable, long } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";
import { auditPipeline, changeBronze, itemOf, sqlText, upsert } from "./audit-shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const withAudits = (...audits: AuditDefinition[]) =>
  auditPipeline(folder.path, { audits: { "gold.listed": audits } });

it.each<[AuditDefinition, string, string]>([
  [notNull("nope"), "nope", "id, kind, n, email, seen"],
  [unique("id", "nope"), "nope", "id, kind, n, email, seen"],
  [references("kind", "silver.nope", "kind"), "silver.nope", "silver.kinds"],
  [references("kind", "silver.kinds", "nope"), "nope", "kind, label"],
  [freshness({ column: "n", within: 1 }), "n", "seen"],
  [sql("other", "FROM gold.nope"), "gold.nope", "bronze.items"],
])("refuses %o before anything runs", async (audit, value, allowed) => {
  await expect(readModels(duckdb, await withAudits(audit))).rejects.toMatchObject({
    code: "AUDIT_UNKNOWN",
    message: expect.stringContaining(`audit ${audit.name} of gold.listed`),
    value,
    allowed: expect.stringContaining(allowed),
    next: expect.stringMatching(/gold\/listed\.sql/),
  });
});

it("finds audits whose SQL cannot be bound, and values that are none of the column's", async () => {
  const lake = newLake(folder.path, duckdb);
  const good = [sql("good", "FROM silver.kinds WHERE label IS NULL"), rowCount({ min: 1 }), unique("id")];
  const pipeline = await withAudits(
    ...good,
    sql("bad", "SELECT nope FROM gold.listed"),
    acceptedValues("n", ["one"]),
    references("n", "silver.kinds", "kind"),
  );
  const { problems } = await planBuild(lake, pipeline);
  expect(problems.map(({ code, model, problem }) => [code, model, problem])).toEqual([
    ["AUDIT_SQL", "gold.listed", expect.stringMatching(/audit bad .*nope/)],
    ["AUDIT_SQL", "gold.listed", expect.stringMatching(/acceptedValues\(n\) .*one/)],
  ]);
});

it("lets audits read what the model's own SQL may not", async () => {
  const lake = newLake(folder.path, duckdb);
  await changeBronze(lake, duckdb, "kinds", [upsert([sqlText("a"), "'x'"])]);
  await changeBronze(lake, duckdb, "items", [upsert(itemOf(1))]);
  const audit = sql("no deletions", "SELECT id FROM bronze.items WHERE _ingot_op = 'd'");
  const pipeline = await auditPipeline(folder.path, { audits: { "silver.merged": [audit] } });
  expect((await planBuild(lake, pipeline)).problems).toEqual([]);
  const reports = await build({ lake, concurrency: 2, onProgress: ignoreProgress }, pipeline);
  expect(reports.find(({ model }) => model === "silver.merged")?.audits).toMatchObject([
    { status: "passed" },
  ]);
  const own = "SELECT id, _ingot_op AS kind, n, email, seen FROM bronze.items";
  const wrong = await auditPipeline(folder.path, { sql: { "silver/merged": own } });
  expect((await planBuild(lake, wrong)).problems).toMatchObject([
    { code: "MODEL_SQL", model: "silver.merged" },
  ]);
});

it("says which audits a build will make of a table that it leaves as it is", async () => {
  const lake = newLake(folder.path, duckdb);
  await changeBronze(lake, duckdb, "kinds", [upsert([sqlText("a"), "'x'"])]);
  await changeBronze(lake, duckdb, "items", [upsert(itemOf(1)), upsert(itemOf(2, { email: "e1" }))]);
  const whyListed = async (...audits: AuditDefinition[]) => {
    const { models } = await planBuild(lake, await withAudits(...audits));
    const listed = models.find(({ model }) => model === "gold.listed");
    return `${listed?.action}: ${listed?.why}`;
  };
  const buildWith = async (...audits: AuditDefinition[]) =>
    build({ lake, concurrency: 2, onProgress: ignoreProgress }, await withAudits(...audits));
  await buildWith(notNull("n"));
  expect(await whyListed(notNull("n"))).toBe("nothing: no input changed");
  const audits = [notNull("n"), unique("email").warn(), freshness({ column: "seen", within: 9e9 })];
  expect(await whyListed(...audits)).toBe(
    "nothing: no input changed; audits are due: unique(email), freshness(seen)",
  );
  await buildWith(...audits);
  // It failed, so it is asked again.
  expect(await whyListed(notNull("n"), unique("email"))).toBe(
    "nothing: no input changed; audits are due: unique(email)",
  );
});

it("makes nothing anew for an audit that comes, changes or goes", async () => {
  const fingerprints = async (pipeline: Awaited<ReturnType<typeof auditPipeline>>) =>
    (await readModels(duckdb, pipeline)).map(({ fingerprint }) => fingerprint);
  expect(await fingerprints(await withAudits(unique("email")))).toEqual(
    await fingerprints(await auditPipeline(folder.path)),
  );
});

const parse = async (audits: unknown) => {
  const pipeline = await auditPipeline(folder.path);
  const { listed } = pipeline.gold ?? {};
  const pipelines = [{ ...pipeline, gold: { listed: { ...listed, audits } } }];
  return parseConfig({ pipelines }, {}, "ingot.config.ts");
};

it("takes what the builders give, with its severity", async () => {
  const given = [unique("id"), rowCount({ min: 1 }).warn(), acceptedValues("n", [1n])];
  const config = await parse(given);
  expect(config.pipelines[0]?.gold?.listed?.audits).toEqual(given.map((audit) => ({ ...audit })));
});

it.each<[string, unknown, string]>([
  ["no values", [acceptedValues("n", [])], "one value or more"],
  ["no limits", [rowCount({})], "one of min, max and changeAtMost"],
  ["limits that cross", [rowCount({ min: 2, max: 1 })], "a min that is not above max"],
  ["no age", [freshness({ column: "seen", within: 0 })], "minutes, more than 0"],
  ["a table without layer", [references("n", "kinds", "kind")], "a table with its layer"],
  ["one name twice", [notNull("n"), notNull("n")], "no other audit of the model has: notNull(n) is taken"],
  ["another severity", [{ ...notNull("n"), severity: "fatal" }], '"error" or "warn"'],
])("refuses %s in a configuration", async (_, audits, allowed) => {
  await expect(parse(audits)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    allowed: expect.stringContaining(allowed),
  });
});

it("knows the columns of the contract as types", () => {
  const contract = defineTable({ name: "t", description: "t", key: ["id"], columns: { id: long() } });
  expect(aggregate(contract, { audits: [unique("id"), rowCount({ min: 1 })] }).audits).toHaveLength(2);
  // @ts-expect-error: the contract has no such column
  expect(aggregate(contract, { audits: [unique("nope")] }).audits).toHaveLength(1);
});
