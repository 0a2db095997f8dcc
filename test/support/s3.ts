import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll } from "vitest";
import { type S3Options, S3Store } from "../../lakehouse/store/s3.ts";
import { connectS3, TIMEOUTS } from "../../lakehouse/store/s3-client.ts";
import { findS3Server, type S3Server, startS3 } from "../../scripts/services/s3-server.ts";

const binary = await findS3Server();
if (binary === undefined) {
  const line = "No versitygw, the S3 server (scripts/services/install-s3-server.sh makes it)";
  if (process.env.CI) throw new Error(`${line}: install it, tests must not be skipped here.`);
  process.stderr.write(`${line}: tests that need it are skipped.\n`);
}

/** For `describe.skipIf(!s3Available())`. On a build server a missing S3 server is an error instead. */
export const s3Available = (): boolean => binary !== undefined;

/** A bucket for the tests of a suite. All members are for use inside of tests and hooks. */
export interface TestS3 {
  readonly endpoint: string;
  readonly bucket: string;
  readonly credentials: S3Server["credentials"];
  /** A store at this folder of the bucket, or at a new one; options go over those that reach the server. */
  store(prefix?: string, options?: S3Options): S3Store;
  /** Variables that lead the command line to the server. */
  environment(): Record<string, string>;
}

/** Starts a server with an empty bucket for the suite that calls this, and stops it at its end. */
export function useS3(): TestS3 {
  const bucket = "lake";
  let folder: string | undefined;
  let server: S3Server | undefined;
  const started = (): S3Server => {
    if (server === undefined) throw new Error("The S3 server is there only inside of tests and hooks.");
    return server;
  };
  beforeAll(async () => {
    if (binary === undefined) return;
    folder = await mkdtemp(join(tmpdir(), "ingot-test-s3-"));
    server = await startS3({ folder, binary });
    const client = await connectS3(server, server.credentials, TIMEOUTS);
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
  });
  afterAll(async () => {
    await server?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });
  return {
    bucket,
    get endpoint() {
      return started().endpoint;
    },
    get credentials() {
      return started().credentials;
    },
    store(prefix: string = randomUUID(), options: S3Options = {}) {
      const { endpoint, region, credentials } = started();
      return new S3Store(`s3://${bucket}/${prefix}`, { endpoint, region, credentials, ...options });
    },
    environment() {
      const { endpoint, region, credentials } = started();
      return {
        AWS_ENDPOINT_URL: endpoint,
        AWS_REGION: region,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      };
    },
  };
}
