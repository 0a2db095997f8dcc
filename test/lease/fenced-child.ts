/**
 * A process that takes a lease and appends a row under it, as told on stdin line by line. It says what became of it.
 * First argument: the lake's folder; second: whether the commit waits for a line before its `check` or after it.
 */
import { createInterface } from "node:readline";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { messageOf } from "../../lakehouse/errors.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { guardedStore } from "../../lakehouse/lease/guarded-store.ts";
import { Leases } from "../../lakehouse/lease/leases.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { appendOnce } from "./append-once.ts";

const [folder = "", where = ""] = process.argv.slice(2);
const say = (line: string) => process.stdout.write(`${line}\n`);
const lines = createInterface(process.stdin)[Symbol.asyncIterator]();
const wait = async (what: string) => {
  say(what);
  await lines.next();
};

const duckdb = await DuckDb.open({ memoryMb: 128, threads: 1 });
const store = new LocalStore(folder);
const lease = await new Leases(store, { owner: "child", milliseconds: 1_500 }).tryTake("job");
if (lease === undefined) throw new Error("the lease is not free");
lease.signal.addEventListener("abort", () => say("aborted"));
let commits = 0;
const slow = faultyStore(store, ({ method, path }) =>
  method === "putIfAbsent" && path.startsWith("_delta_log") && commits++ === 1 && where === "after"
    ? { before: () => wait("checked") }
    : undefined,
);
const lake = new Lake(
  guardedStore(slow, () => lease.check()),
  duckdb,
);
await appendOnce(lake, 1);
say("committed 1");
try {
  if (where === "before") await wait("working");
  const outcome = await appendOnce(lake, 2);
  say(outcome.status);
} catch (error) {
  say(`refused: ${messageOf(error)}`);
}
process.exit(0);
