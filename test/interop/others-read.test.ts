import { describe, expect, it } from "vitest";
import { useDuckDb } from "../support/duckdb.ts";
import { ENGINE_NAMES, enginesAvailable, useEngine } from "../support/engines.ts";
import { useFolder } from "../support/folder.ts";
import { expectSameReading } from "./compare.ts";
import { IngotReader } from "./ingot-reader.ts";
import { INGOT_TABLES } from "./ingot-tables.ts";
import { IngotWriter } from "./ingot-writer.ts";

const duckdb = await useDuckDb();
const ingot = new IngotReader(duckdb);
const folder = useFolder();

describe.each(ENGINE_NAMES)("%s reads what Ingot writes", (name) => {
  describe.skipIf(name !== "chdb" && !enginesAvailable)("", () => {
    const engine = useEngine(name, folder.path);

    it.each(INGOT_TABLES)("$name", async ({ make, changesFrom, cannot }) => {
      const path = `${folder.path}/${crypto.randomUUID()}`;
      await make(new IngotWriter(path, duckdb));
      const reading = expectSameReading(
        path,
        changesFrom === undefined ? {} : { changesFrom },
        engine,
        ingot,
      );
      const refusal = cannot?.[name];
      if (refusal === undefined) await reading;
      else await expect(reading).rejects.toThrow(refusal.error);
    });
  });
});
