/** Partitions and children that are emptied, or written anew, without their table. */
import { describe, expect, it } from "vitest";
import { readDrift } from "../../layers/bronze/capture/drift-record.ts";
import { captured, useCapture } from "./setup.ts";

const { sync, withTables, both, expectSame, database, lake } = await useCapture();

describe("a partition", () => {
  it.each([
    ["that is emptied", "TRUNCATE cut_1"],
    ["that is emptied and filled again", "TRUNCATE cut_1; INSERT INTO cut VALUES (3)"],
    [
      "that is emptied between changes",
      "INSERT INTO cut VALUES (5); TRUNCATE cut_1, cut_2; INSERT INTO cut VALUES (12)",
    ],
    ["of which the table is emptied", "TRUNCATE cut; INSERT INTO cut VALUES (6)"],
    ["that is only moved", "VACUUM FULL cut_1"],
  ])("%s", async (_how, change) => {
    const sql = `DROP TABLE IF EXISTS cut; CREATE TABLE cut (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE cut_1 PARTITION OF cut FOR VALUES FROM (0) TO (10); CREATE TABLE cut_2 PARTITION OF cut FOR VALUES FROM (10) TO (20);
      INSERT INTO cut VALUES (1), (2), (11)`;
    await withTables(sql, captured({ cut: {} }), async (pipeline) => {
      await database.query(change);
      await sync(pipeline);
      await expectSame(pipeline, "cut", ["id"]);
      const table = lake.table(`${pipeline.name}/bronze/cut`);
      const checked = await table.existingSnapshot();
      expect(readDrift(checked)).toMatchObject({ unchecked: false, changes: [{ kind: "rewritten" }] });
      await sync(pipeline);
      expect((await table.existingSnapshot()).version).toBe(checked.version);
    });
  });

  it("of a lake that does not know its file is remembered, and not compared", async () => {
    const sql = `CREATE TABLE young (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE young_1 PARTITION OF young FOR VALUES FROM (0) TO (10); INSERT INTO young VALUES (1)`;
    await withTables(sql, captured({ young: {} }), async (pipeline) => {
      const table = lake.table(`${pipeline.name}/bronze/young`);
      const base = await table.existingSnapshot();
      const domains = [...base.domains.values()].map(({ domain, configuration }) => {
        const { fileNodes: _fileNodes, ...rest } = JSON.parse(configuration);
        return { domainMetadata: { domain, configuration: JSON.stringify(rest), removed: false } };
      });
      await table.commit({ base, operation: "TEST", actions: domains, reads: "nothing" });
      await sync(pipeline);
      expect(readDrift(await table.existingSnapshot())).toMatchObject({ unchecked: false, changes: [] });
      await database.query("TRUNCATE young_1");
      await sync(pipeline);
      expect((await both(pipeline, "young", ["id"])).bronze).toEqual([]);
    });
  });
});

describe("a table with children", () => {
  it.each([
    ["of which one is emptied", "TRUNCATE child"],
    ["that is emptied without them", "TRUNCATE ONLY parent"],
    ["that is emptied with them", "TRUNCATE parent"],
  ])("%s", async (_how, change) => {
    const sql = `DROP TABLE IF EXISTS child, parent; CREATE TABLE parent (id int PRIMARY KEY);
      CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2)`;
    await withTables(sql, captured({ parent: {} }), async (pipeline) => {
      await database.query(`${change}; INSERT INTO parent VALUES (3); INSERT INTO child VALUES (4)`);
      await sync(pipeline);
      await expectSame(pipeline, "parent", ["id"]);
    });
  });
});
