import { describe } from "vitest";
import { enginesAvailable, useEngine } from "../support/engines.ts";
import { useInterop } from "./bench.ts";
import { testTurns } from "./taking-turns.ts";
import { chdbTurns, deltalakeTurns } from "./turns.ts";

const bench = await useInterop();

describe("Ingot and chdb write to one table in turns", () => {
  const chdb = useEngine("chdb", bench.folder.path);
  testTurns(bench, chdb, chdbTurns(chdb));
});

describe.skipIf(!enginesAvailable)("Ingot and deltalake write to one table in turns", () => {
  const deltalake = useEngine("deltalake");
  testTurns(bench, deltalake, deltalakeTurns(deltalake));
});
