import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { codeOf } from "../../lakehouse/errors.ts";
import { RedisTarget } from "../../layers/publish/redis.ts";
import { useFolder } from "../support/folder.ts";
import { redisAvailable } from "../support/redis.ts";
import { isWhole, SETS } from "./chaos-rows.ts";
import { startServer } from "./redis-servers.ts";

const folder = useFolder();
const PUBLICATIONS = 1_000;
const RESTARTS = 5;
const SCRIPT = new URL("./publisher-child.ts", import.meta.url).pathname;

/** Two publishers that race; now and then one of them is killed and another one started. */
class Publishers {
  published = 0;
  kills = 0;
  private readonly url: string;
  private readonly children: ChildProcess[] = [];

  constructor(url: string) {
    this.url = url;
  }

  start(): void {
    const child = spawn(process.execPath, ["--import", "jiti/register", SCRIPT, this.url], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    child.on("message", (status) => {
      if (status === "published") this.published += 1;
    });
    this.children.push(child);
  }

  /** The oldest one, in the middle of whatever it does. */
  async kill(): Promise<void> {
    const child = this.children.shift();
    if (child === undefined) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    this.kills += 1;
  }

  async end(): Promise<void> {
    while (this.children.length > 0) await this.kill();
  }
}

/** What readers saw, all of them together. */
const seen = { reads: 0, rows: 0, mixtures: 0, regressions: 0, missing: 0 };

type Newest = Map<string, number>;

/** Reads without pause. */
async function read(target: RedisTarget, newest: Newest, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const set of SETS) {
      try {
        await readOnce(target, set, newest);
      } catch (error) {
        // While Redis restarts there is nothing to be read, and nothing wrong is.
        if (!["REDIS_UNAVAILABLE", "PUBLISHED_CONTENTION"].includes(codeOf(error) ?? "")) throw error;
      }
    }
  }
}

/** What was seen before a read began, by whomever, must not be newer than what it gives. */
async function readOnce(target: RedisTarget, set: string, newest: Newest): Promise<void> {
  const before = newest.get(set) ?? 0;
  const found = await target.read(set);
  if (found === undefined) {
    if (before > 0) seen.missing += 1;
    else await delay(20);
    return;
  }
  seen.reads += 1;
  if (!isWhole(found.version, found.rows)) seen.mixtures += 1;
  if (found.version < before) seen.regressions += 1;
  newest.set(set, Math.max(newest.get(set) ?? 0, found.version));
  if (set !== "shop/lookup") return;
  const known = newest.get(set) ?? 0;
  const row = await target.readRow(set, ["3"]);
  seen.rows += 1;
  if (row === undefined) seen.missing += 1;
  else if (Number(row.version) < known) seen.regressions += 1;
}

it.skipIf(!redisAvailable)(
  "readers of 1,000 publications, with publishers killed and Redis restarted, see whole versions in order",
  { timeout: 400_000 },
  async () => {
    const settings = { appendonly: "yes", appendfsync: "always" };
    const server = await startServer({ folder: `${folder.path}/redis`, settings });
    const targets = await Promise.all([1, 2, 3].map(() => RedisTarget.connect(server.url)));
    const stop = new AbortController();
    const newest = new Map<string, number>();
    const publishers = new Publishers(server.url);
    const heard: number[] = [];
    const subscription = await targets[0]?.subscribe("shop/list", ({ version }) => {
      heard.push(version);
    });
    const readers = targets.map((target) => read(target, newest, stop.signal));
    try {
      publishers.start();
      publishers.start();
      for (let restart = 1; restart <= RESTARTS; restart++) {
        await expect
          .poll(() => publishers.published, { timeout: 200_000, interval: 5 })
          .toBeGreaterThan((PUBLICATIONS / (RESTARTS + 1)) * restart);
        publishers.start();
        await publishers.kill();
        await server.kill();
        await server.start();
      }
      // As many reads as well, however slow the machine.
      await expect
        .poll(() => Math.min(publishers.published, seen.reads), { timeout: 200_000, interval: 5 })
        .toBeGreaterThanOrEqual(PUBLICATIONS);
    } finally {
      await publishers.end();
      stop.abort();
      await Promise.all(readers);
      await subscription?.close();
      for (const target of targets) await target.close();
      await server.kill();
    }
    const { reads, rows, ...wrong } = seen;
    process.stdout.write(
      `${reads} reads and ${rows} rows during ${publishers.published} publications, ${publishers.kills} kills, ${RESTARTS} restarts\n`,
    );
    expect(wrong).toEqual({ mixtures: 0, regressions: 0, missing: 0 });
    expect(heard).toEqual([...heard].sort((a, b) => a - b));
    expect(new Set(heard).size).toBe(heard.length);
    expect(heard.length).toBeGreaterThan(0);
  },
);
