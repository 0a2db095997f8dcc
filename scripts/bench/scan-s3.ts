/** The scan benchmark's table in a bucket of a local S3 server, against the same table in a folder. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { formatDuration } from "../../jobs/terminal/numbers.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { openHttpfs } from "../../lakehouse/duckdb/httpfs.ts";
import { S3Store } from "../../lakehouse/store/s3.ts";
import { connectS3, TIMEOUTS } from "../../lakehouse/store/s3-client.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { openTable } from "../../lakehouse/table/open.ts";
import type { Table } from "../../lakehouse/table/table.ts";
import { findS3Server, type S3Server, startS3 } from "../services/s3-server.ts";
import { askIngot } from "./aggregate.ts";
import { median, rounded, timed } from "./bench.ts";

const BUCKET = "lake";
/** Uploads at the same time. */
const PARALLEL = 8;

interface S3Case {
  /** The table in a folder. */
  readonly table: Table;
  /** Where the server may keep its objects. */
  readonly folder: string;
  readonly where: string;
  readonly rounds: number;
  readonly say: (line: string) => void;
}

/** Figures of reading from the bucket; none where the machine has no S3 server. */
export async function scanS3(about: S3Case): Promise<Record<string, number>> {
  const binary = await findS3Server();
  if (binary === undefined) {
    about.say("versitygw is not installed (scripts/services/install-s3-server.sh): measured without S3");
    return {};
  }
  const server = await startS3({ folder: join(about.folder, "s3"), binary });
  try {
    const client = await connectS3(server, server.credentials, TIMEOUTS);
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    client.destroy();
    return { ...(await throughCache(about, server)), ...(await throughHttpfs(about, server)) };
  } finally {
    await server.stop();
  }
}

/** Reading through the local cache of data files: the first time of each round, and once they are there. */
async function throughCache({ table, where, rounds, say }: S3Case, server: S3Server) {
  const { duckdb, store } = table.kernel;
  const [local, cold, warm]: [number[], number[], number[]] = [[], [], []];
  for (let round = 1; round <= rounds; round++) {
    // The cache knows files by their address.
    const bucket = new S3Store(`s3://${BUCKET}/cached-${round}`, server);
    await upload(store, bucket);
    const remote = await openTable(bucket, { duckdb });
    const answers = [
      await timed(() => askIngot(table, where)),
      await timed(() => askIngot(remote, where)),
      await timed(() => askIngot(remote, where)),
    ];
    for (const [i, times] of [local, cold, warm].entries())
      times.push(answers[i]?.milliseconds ?? Number.NaN);
    const different = new Set(answers.map(({ result }) => result.answer));
    if (different.size > 1) throw new Error(`answers differ: ${[...different].join("; ")}`);
  }
  say(
    `from S3: ${formatDuration(median(cold))} the first time, then ${formatDuration(median(warm))}; from a folder ${formatDuration(median(local))}`,
  );
  const ratio = (times: readonly number[]) =>
    rounded(median(times.map((time, i) => time / (local[i] ?? Number.NaN))));
  return {
    s3Ratio: ratio(warm),
    s3FirstRatio: ratio(cold),
    s3FirstMs: rounded(median(cold)),
    s3Ms: rounded(median(warm)),
  };
}

/** Reading in place, where INGOT_S3_HTTPFS names the file of the extension. */
async function throughHttpfs({ table, where, rounds, say }: S3Case, server: S3Server) {
  const extension = process.env.INGOT_S3_HTTPFS;
  if (extension === undefined) {
    say("INGOT_S3_HTTPFS names no httpfs.duckdb_extension: measured without it");
    return {};
  }
  const duckdb = await DuckDb.open({ memoryMb: 2048, threads: 2 });
  try {
    await openHttpfs(duckdb, `s3://${BUCKET}`, { ...server, extension });
    const bucket = new S3Store(`s3://${BUCKET}/direct`, { ...server, direct: true });
    await upload(table.kernel.store, bucket);
    const remote = await openTable(bucket, { duckdb });
    const ratios: number[] = [];
    const times: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const local = await timed(() => askIngot(table, where));
      const direct = await timed(() => askIngot(remote, where));
      if (local.result.answer !== direct.result.answer) throw new Error(`httpfs: ${direct.result.answer}`);
      ratios.push(direct.milliseconds / local.milliseconds);
      times.push(direct.milliseconds);
    }
    say(`from S3 in place: ${formatDuration(median(times))}`);
    return { httpfsRatio: rounded(median(ratios)), httpfsMs: rounded(median(times)) };
  } finally {
    duckdb.close();
  }
}

/** Puts the objects of a folder into a bucket. */
async function upload(from: ObjectStore, to: ObjectStore): Promise<void> {
  const objects = await from.list("");
  const worker = async () => {
    for (let next = objects.pop(); next !== undefined; next = objects.pop()) {
      const local = from.address(next.path);
      if (local !== undefined) await to.put(next.path, await readFile(local));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}
