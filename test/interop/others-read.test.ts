import { describe } from "vitest";
import { enginesAvailable, useEngine } from "../support/engines.ts";
import { useInterop } from "./bench.ts";
import { testReading } from "./reading.ts";

const bench = await useInterop();

describe("chdb reads what Ingot writes", () => {
  testReading(bench, "chdb", useEngine("chdb", bench.folder.path));
});

describe.skipIf(!enginesAvailable)("deltalake reads what Ingot writes", () => {
  testReading(bench, "deltalake", useEngine("deltalake"));
});
