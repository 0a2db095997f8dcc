/** A process that stood still does not commit as if nothing had happened. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { Lake } from "../../lakehouse/lake.ts";
import { guardedStore } from "../../lakehouse/lease/guarded-store.ts";
import type { Lease } from "../../lakehouse/lease/held-lease.ts";
import { Leases } from "../../lakehouse/lease/leases.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { queryTable } from "../support/lake.ts";
import { appendOnce } from "./append-once.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const CHILD = new URL("./fenced-child.ts", import.meta.url).pathname;

class Child {
  complaints = "";
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly output: Interface;
  private readonly lines: AsyncIterator<string>;

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, ["--import", "jiti/register", CHILD, ...args]);
    this.child.stderr.on("data", (chunk) => {
      this.complaints += chunk;
    });
    this.output = createInterface(this.child.stdout);
    this.lines = this.output[Symbol.asyncIterator]();
  }

  /** What it says next. */
  async says(): Promise<string> {
    const { value, done } = await this.lines.next();
    return done ? `ended: ${this.complaints}` : value;
  }

  signal(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void {
    this.child.kill(signal);
  }

  goOn(): void {
    this.child.stdin.write("\n");
  }
}

/** The lease, once its holder has been still for long enough. */
async function takeOver(store: LocalStore): Promise<Lease> {
  const leases = new Leases(store, { owner: "test", milliseconds: 1_500 });
  for (;;) {
    const lease = await leases.tryTake("job");
    if (lease !== undefined) return lease;
    await delay(leases.pollEvery);
  }
}

it.each([
  ["before", "working", /^refused: the lease of job is no longer held/],
  ["after", "checked", /^(lost|refused: the lease of job is no longer held)/],
])("stopped %s it looked at its lease", async (where, moment, verdict) => {
  const path = `${folder.path}/${where}`;
  const store = new LocalStore(path);
  const child = new Child(path, where);
  try {
    expect(await child.says()).toBe("committed 1");
    expect(await child.says()).toBe(moment);
    child.signal("SIGSTOP");
    const lease = await takeOver(store);
    const lake = new Lake(
      guardedStore(store, () => lease.check()),
      duckdb,
    );
    // Who has taken over does the same work, with the same position.
    expect(await appendOnce(lake, 2)).toMatchObject({ status: "committed" });
    child.signal("SIGCONT");
    child.goOn();
    const said = [await child.says(), await child.says()];
    expect(
      said.filter((line) => verdict.test(line)),
      said.join("; "),
    ).toHaveLength(1);
    expect(said).toContain("aborted");
    const rows = await queryTable(lake, "p/bronze/t", "SELECT n FROM t ORDER BY n");
    expect(rows.map(({ n }) => Number(n))).toEqual([1, 2]);
    expect(lease.epoch).toBe(2);
    await lease.release();
  } finally {
    child.signal("SIGKILL");
  }
});
