/** A lake as a process sees it that is killed in the middle of its work. */
import { TerminalError } from "../../lakehouse/errors.ts";
import { Lake, type LakeOptions } from "../../lakehouse/lake.ts";
import { faultyStore } from "../support/faulty-store.ts";

/** The lake in a process that is killed before it writes its nth commit. */
export function dyingLake(lake: Lake, commits: number, options: LakeOptions = {}): Lake {
  let left = commits;
  const dies = async () => {
    if (left-- <= 0) throw new TerminalError("killed", { code: "TEST_KILLED" });
  };
  const store = faultyStore(lake.store, ({ method }) =>
    method === "putIfAbsent" ? { before: dies } : undefined,
  );
  return new Lake(store, lake.duckdb, options);
}

/** Waits for work on such a lake: it may fail as it was killed, and of nothing else. */
export async function killed(work: Promise<unknown>): Promise<void> {
  await work.catch((error) => {
    if ((error.cause?.code ?? error.code) !== "TEST_KILLED") throw error;
  });
}
