/**
 * `npm run crash -- [--moments 20] [--seed 1]`: kills load, sync, build and publish with SIGKILL at random moments,
 * runs the same command again, and compares what is there with an undisturbed run.
 */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { startPostgres } from "../../jobs/embedded/postgres.ts";
import { findRedisServer, startRedis } from "../../jobs/embedded/redis.ts";
import { ingot, killedIngot, type Surroundings } from "./command.ts";
import { type Digest, digestLake, digestPublished } from "./digest.ts";
import { copySlot, removeSlot } from "./slots.ts";

/** One command under test: the lake and the slot that it starts from, and what of the outcome is compared. */
interface Case {
  readonly command: "load" | "sync" | "build" | "publish";
  /** Folder of the lake before the command; undefined for none. */
  readonly before: string | undefined;
  /** Puts the replication slot where it stood before the command. */
  readonly rewind?: () => Promise<void>;
  readonly digest: (around: Surroundings) => Promise<Digest>;
}

/** The pipeline's slot, and what it was after the load. */
const [SLOT, SLOT_LOADED] = ["ingot_commerce", "after_load"];

const { values } = parseArgs({
  options: {
    moments: { type: "string", default: "20" },
    scale: { type: "string", default: "0.1" },
    seed: { type: "string", default: "1" },
  },
});

const say = (line: string) => process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ingot-crash-"));
  const settings = { fsync: "off", full_page_writes: "off" };
  const postgres = await startPostgres({ folder: join(folder, "postgres"), settings });
  const binary = await findRedisServer();
  const redis = binary ? await startRedis({ folder: join(folder, "redis"), binary }) : undefined;
  if (redis === undefined)
    say("redis-server is not on this machine: publish is tested on the embedded target only");
  try {
    const around = (name: string): Surroundings => ({
      lake: join(folder, name),
      database: postgres.connectionString,
      redis: redis?.url,
    });
    const failures = await runCases(postgres.connectionString, around);
    say(failures === 0 ? "every outcome equals that of an undisturbed run" : `${failures} outcomes differ`);
    process.exitCode = failures === 0 ? 0 : 1;
  } finally {
    await redis?.stop();
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function runCases(database: string, around: (name: string) => Surroundings): Promise<number> {
  const lake = (name: string) => around(name).lake;
  await ingot(around("loaded"), ["bootstrap", "commerce", "--scale", values.scale]);
  for (const command of ["load", "build", "publish"]) await ingot(around("loaded"), [command]);
  await copySlot(database, SLOT, SLOT_LOADED);
  await ingot(around("loaded"), ["simulate", "commerce", "--rate", "0", "--journeys", "400", "--seed", "7"]);
  await cp(lake("loaded"), lake("synced"), { recursive: true });
  await ingot(around("synced"), ["sync"]);
  await cp(lake("synced"), lake("built"), { recursive: true });
  await ingot(around("built"), ["build"]);
  const cases: Case[] = [
    {
      command: "sync",
      before: lake("loaded"),
      rewind: () => copySlot(database, SLOT_LOADED, SLOT),
      digest: (a) => digestLake(a, ["bronze"]),
    },
    {
      command: "load",
      before: undefined,
      rewind: () => removeSlot(database, SLOT),
      digest: (a) => digestLake(a, ["bronze"]),
    },
    { command: "build", before: lake("synced"), digest: (a) => digestLake(a, ["silver", "gold"]) },
    { command: "publish", before: lake("built"), digest: digestPublished },
  ];
  const random = mulberry32(Number(values.seed));
  let failures = 0;
  for (const { command, before, rewind, digest } of cases) {
    const attempt = async (name: string, killAfter?: number) => {
      const here = around(name);
      await rewind?.();
      // What an earlier attempt published is the same version: this one would have nothing left to do.
      if (here.redis !== undefined) await emptyRedis(here.redis);
      if (before !== undefined) await cp(before, here.lake, { recursive: true });
      const killed = killAfter !== undefined && (await killedIngot(here, [command], killAfter));
      const { milliseconds } = await ingot(here, [command]);
      const result = await digest(here);
      await rm(here.lake, { recursive: true, force: true });
      return { killed, milliseconds, result };
    };
    const undisturbed = await attempt(`${command}-reference`);
    let killed = 0;
    for (let moment = 0; moment < Number(values.moments); moment++) {
      // The first part of a run is the start of the program; nothing can break there.
      const killAfter = undisturbed.milliseconds * (0.3 + 0.7 * random());
      const outcome = await attempt(`${command}-${moment}`, killAfter);
      if (outcome.killed) killed += 1;
      for (const [name, expected] of Object.entries(undisturbed.result)) {
        if (outcome.result[name] === expected) continue;
        failures += 1;
        say(
          `${command} killed after ${killAfter.toFixed(0)} ms: ${name} is ${outcome.result[name]}, not ${expected}`,
        );
      }
    }
    say(`${command}: ${values.moments} moments, ${killed} killed midway, the others had ended before`);
  }
  return failures;
}

async function emptyRedis(url: string): Promise<void> {
  const redis = new Redis(url);
  await redis.flushall();
  await redis.quit();
}

/** A small seeded generator, so that a failing run can be repeated. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

await main();
