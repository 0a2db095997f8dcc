import { describe, expect, test } from "vitest";
import type { Action, AddFile } from "../../lakehouse/delta/actions.ts";
import { findConflict, type Reads } from "../../lakehouse/delta/conflict.ts";

const file = (path: string, dataChange = true): AddFile => ({
  path,
  partitionValues: {},
  size: 1,
  modificationTime: 0,
  dataChange,
});
const add = (path: string, dataChange = true): Action => ({ add: file(path, dataChange) });
const remove = (path: string, dataChange = true): Action => ({ remove: { path, dataChange } });
const txn = (appId: string): Action => ({ txn: { appId, version: 1 } });
const domain = (name: string): Action => ({
  domainMetadata: { domain: name, configuration: "", removed: false },
});
const metaData: Action = {
  metaData: {
    id: "t",
    format: { provider: "parquet" },
    schemaString: "{}",
    partitionColumns: [],
    configuration: {},
  },
};
const protocol: Action = { protocol: { minReaderVersion: 1, minWriterVersion: 2 } };

/** A delete of rows in `a`, which looked at `a` and `b`, and would have looked at new files whose names begin with m. */
const rowsOfA: Reads = { files: new Set(["a", "b"]), concerns: ({ path }) => path.startsWith("m") };
const append = { actions: [add("new")], reads: "nothing" as const };
const overwrite = { actions: [remove("a"), remove("b"), add("new")], reads: "table" as const };
const rowChange = { actions: [remove("a"), add("new")], reads: rowsOfA };
const optimize = {
  actions: [remove("a", false), remove("b", false), add("new", false)],
  reads: { files: new Set(["a", "b"]), concerns: () => false },
};
const evolve = { actions: [metaData], reads: "nothing" as const };

describe("after a rival's commit", () => {
  test.each([
    ["an append", append, "an append", [add("r")], true],
    ["an append", append, "an overwrite", [remove("a"), add("r")], true],
    ["an append", append, "an optimise", [remove("a", false), add("r", false)], true],
    ["an append", append, "a schema change", [metaData], false],
    ["an append", append, "a protocol change", [protocol], false],
    ["an overwrite", overwrite, "an append", [add("r")], false],
    ["an overwrite", overwrite, "an optimise of its files", [remove("a", false), add("r", false)], false],
    ["a row change", rowChange, "an append that does not concern it", [add("r")], true],
    ["a row change", rowChange, "an append that concerns it", [add("match")], false],
    ["a row change", rowChange, "a change of the same file", [remove("a"), add("r")], false],
    ["a row change", rowChange, "a new deletion vector for the same file", [remove("a"), add("a")], false],
    ["a row change", rowChange, "a change of a file that it looked at", [remove("b"), add("r")], false],
    [
      "a row change",
      rowChange,
      "an optimise of a file that it looked at",
      [remove("b", false), add("match", false)],
      true,
    ],
    ["a row change", rowChange, "an optimise of the same file", [remove("a", false), add("r", false)], false],
    ["a row change", rowChange, "a change elsewhere", [remove("c"), add("r")], true],
    ["an optimise", optimize, "an append", [add("match")], true],
    [
      "an optimise",
      optimize,
      "a change of its file, by another name of it",
      [remove("%61"), add("r")],
      false,
    ],
    ["an optimise", optimize, "an optimise elsewhere", [remove("c", false), add("r", false)], true],
    ["a schema change", evolve, "an append under the former schema", [add("r")], false],
    ["a schema change", evolve, "a schema change", [metaData], false],
    [
      "a recorded append",
      { actions: [add("new"), txn("app")], reads: "nothing" as const },
      "one of the same application",
      [add("r"), txn("app")],
      false,
    ],
    [
      "a recorded append",
      { actions: [add("new"), txn("app")], reads: "nothing" as const },
      "one of another application",
      [add("r"), txn("other")],
      true,
    ],
    [
      "a position",
      { actions: [domain("d")], reads: "nothing" as const },
      "the same position",
      [domain("d")],
      false,
    ],
    [
      "a position",
      { actions: [domain("d")], reads: "nothing" as const },
      "another position",
      [domain("e")],
      true,
    ],
  ] as const)("%s (%o) and %s (%o): stands is %s", (_mine, claim, _rival, winner, stands) => {
    expect(findConflict(claim, winner) === undefined).toBe(stands);
  });
});
