/** What tests with other engines share: Ingot's side, and places for tables. */
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { IngotReader } from "./ingot-reader.ts";

export interface InteropBench {
  readonly duckdb: DuckDb;
  readonly ingot: IngotReader;
  /** A folder of the test file. */
  readonly folder: { readonly path: string };
  /** A path where nothing is. */
  readonly newPath: () => string;
}

/** One for a test file. */
export async function useInterop(): Promise<InteropBench> {
  const duckdb = await useDuckDb();
  const folder = useFolder();
  return {
    duckdb,
    ingot: new IngotReader(duckdb),
    folder,
    newPath: () => `${folder.path}/${crypto.randomUUID()}`,
  };
}
