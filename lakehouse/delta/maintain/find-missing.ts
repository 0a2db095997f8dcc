/** Which files that a version names are not on the store. */
import type { ObjectStore } from "../../store/store.ts";
import type { AddFile } from "../actions.ts";
import { readAhead } from "../log/read-ahead.ts";
import { storedPath, storedVectorPath } from "./stored-path.ts";

/** Beyond so many files one listing costs less than asking for each. */
const MOST_ASKED = 500;
const PARALLEL = 16;

/**
 * The files that are gone, or whose deletion vectors are. What lies outside of the table's folder counts as there:
 * the store cannot say.
 */
export async function findMissing(store: ObjectStore, files: readonly AddFile[]): Promise<AddFile[]> {
  const exists = await existence(store, files.length);
  const missing: AddFile[] = [];
  const check = async (file: AddFile) => {
    const vector = file.deletionVector && storedVectorPath(store, file.deletionVector);
    const paths = [storedPath(store, file.path), vector].filter((path) => path !== undefined);
    const found = await Promise.all(paths.map(exists));
    return found.every(Boolean) ? undefined : file;
  };
  for await (const file of readAhead(files, PARALLEL, check)) if (file) missing.push(file);
  return missing;
}

async function existence(store: ObjectStore, count: number): Promise<(path: string) => Promise<boolean>> {
  if (count <= MOST_ASKED) return async (path) => (await store.getRange(path, 0, 1)) !== undefined;
  const stored = new Set((await store.list("")).map(({ path }) => path));
  return async (path) => stored.has(path);
}
