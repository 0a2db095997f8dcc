import { readFile, rm, stat } from "node:fs/promises";
import type { GetObjectCommandInput, ListObjectsV2CommandOutput, S3Client } from "@aws-sdk/client-s3";
import { retrying } from "../retry.ts";
import { makeScratch } from "../scratch.ts";
import { parseS3Address, type S3Place } from "./s3-address.ts";
import { connectS3, type S3Credentials, type S3Settings, type S3Timeouts, TIMEOUTS } from "./s3-client.ts";
import { type S3Where, toStoreError } from "./s3-errors.ts";
import { isAbsent, isPastEnd, isTaken, parseFailure } from "./s3-failure.ts";
import { PART_BYTES, type S3Request, uploadParts } from "./s3-upload.ts";
import { checkPath, type ObjectStore, type StoredObject } from "./store.ts";

/** How to reach a bucket, and what else may reach it. */
export interface S3Options extends S3Settings {
  /** In place of the environment's, a profile's or the machine's role. */
  readonly credentials?: S3Credentials;
  /** DuckDB has httpfs and a secret for the bucket: it opens `s3://` addresses itself. Default false. */
  readonly direct?: boolean;
  readonly timeouts?: S3Timeouts;
}

interface Connection {
  readonly place: S3Place;
  readonly options: S3Options;
  /** Opened by the first request; shared by the stores of all sub-folders. */
  client: Promise<S3Client> | undefined;
}

/**
 * A folder of a bucket as a store, on AWS or any service that honours `If-None-Match: *`.
 *
 * `putIfAbsent` is one conditional write. It is repeated only after failures that cannot have applied it (no
 * connection, throttling, a conflict with a write in flight); after any other it rejects, because a second try
 * would find the first one's object and call it a rival's. Whoever needs to know reads the object back.
 */
export class S3Store implements ObjectStore {
  readonly root: string;
  private readonly prefix: string;
  private readonly connection: Connection;

  constructor(address: string, options: S3Options = {}, shared?: Connection) {
    const place = parseS3Address(address);
    this.prefix = place.prefix;
    this.root = `s3://${place.bucket}/${place.prefix}`.replace(/\/$/, "");
    this.connection = shared ?? { place, options, client: undefined };
  }

  async list(prefix: string, from = ""): Promise<StoredObject[]> {
    const { ListObjectsV2Command } = await import("@aws-sdk/client-s3");
    const found: StoredObject[] = [];
    let token: string | undefined;
    do {
      const page: ListObjectsV2CommandOutput = await this.request(`list ${this.show(prefix)}`, (client) =>
        client.send(
          new ListObjectsV2Command({
            Bucket: this.bucket,
            Prefix: this.prefix + prefix,
            ...(token === undefined ? startBefore(this.prefix, from) : { ContinuationToken: token }),
          }),
        ),
      );
      for (const { Key = "", Size = 0, LastModified } of page.Contents ?? []) {
        const path = Key.slice(this.prefix.length);
        // Folders that a console made are objects whose names end in a slash.
        if (path >= from && path !== "" && !path.endsWith("/"))
          found.push({ path, size: Size, modifiedAt: LastModified?.getTime() ?? 0 });
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
    // A bucket orders names by their UTF-8 bytes, other stores by UTF-16 units: for rare characters not the same.
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async get(path: string): Promise<Uint8Array | undefined> {
    return this.read(path, {});
  }

  async getRange(path: string, start: number, end: number): Promise<Uint8Array | undefined> {
    // An empty range cannot be asked for; one byte tells whether the object is there.
    const range = end > start ? `bytes=${start}-${end - 1}` : "bytes=0-0";
    const bytes = await this.read(path, { Range: range });
    const wanted = Math.max(0, end - start);
    // A service, or a cache before it, may know no ranges and give the whole object.
    const from = wanted > 0 && bytes !== undefined && bytes.length > wanted ? start : 0;
    return bytes?.subarray(from, from + wanted);
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    const { PutObjectCommand } = await import("@aws-sdk/client-s3");
    const Key = this.key(path);
    await this.request(`write ${this.show(path)}`, (client) =>
      client.send(new PutObjectCommand({ Bucket: this.bucket, Key, Body: bytes })),
    );
  }

  async putIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const { PutObjectCommand } = await import("@aws-sdk/client-s3");
    const input = { Bucket: this.bucket, Key: this.key(path), Body: bytes, IfNoneMatch: "*" };
    return this.request(
      `create ${this.show(path)}`,
      (client) =>
        client.send(new PutObjectCommand(input)).then(
          () => true,
          (error: unknown) => {
            if (isTaken(error)) return false;
            throw error;
          },
        ),
      { repeatable: false },
    );
  }

  async putFile(path: string, localFile: string): Promise<void> {
    const { size } = await stat(localFile);
    if (size <= PART_BYTES) {
      await this.put(path, await readFile(localFile));
    } else {
      const request: S3Request = (work) => this.request(`write ${this.show(path)}`, work);
      await uploadParts(request, { Bucket: this.bucket, Key: this.key(path) }, localFile, size);
    }
    await rm(localFile);
  }

  async delete(path: string): Promise<void> {
    const { DeleteObjectCommand } = await import("@aws-sdk/client-s3");
    const Key = this.key(path);
    await this.request(`delete ${this.show(path)}`, (client) =>
      client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key })).catch((error: unknown) => {
        if (!isAbsent(error)) throw error;
      }),
    );
  }

  address(path: string): string | undefined {
    const key = this.key(path);
    return this.connection.options.direct ? `s3://${this.bucket}/${key}` : undefined;
  }

  stagingFolder(): Promise<string> {
    return makeScratch();
  }

  within(path: string): S3Store {
    return new S3Store(`s3://${this.bucket}/${this.key(path)}`, this.connection.options, this.connection);
  }

  private get bucket(): string {
    return this.connection.place.bucket;
  }

  private key(path: string): string {
    return this.prefix + checkPath(path);
  }

  private show(path: string): string {
    return `s3://${this.bucket}/${this.prefix}${path}`;
  }

  private async read(
    path: string,
    what: Pick<GetObjectCommandInput, "Range">,
  ): Promise<Uint8Array | undefined> {
    const { GetObjectCommand } = await import("@aws-sdk/client-s3");
    const Key = this.key(path);
    return this.request(`read ${this.show(path)}`, async (client) => {
      try {
        const answer = await client.send(new GetObjectCommand({ Bucket: this.bucket, Key, ...what }));
        return (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
      } catch (error) {
        if (isAbsent(error)) return undefined;
        if (isPastEnd(error)) return new Uint8Array();
        throw error;
      }
    });
  }

  /** Asks the service, again where that may help; what fails for good is told as an error of Ingot's. */
  private async request<T>(
    doing: string,
    work: (client: S3Client) => Promise<T>,
    { repeatable = true } = {},
  ): Promise<T> {
    const { connection } = this;
    const { options } = connection;
    connection.client ??= connectS3(options, options.credentials, options.timeouts ?? TIMEOUTS);
    const client = await connection.client;
    try {
      return await retrying(() => work(client), {
        repeatable,
        codesOf: (error) => parseFailure(error).codes,
      });
    } catch (error) {
      throw toStoreError(error, this.where(doing));
    }
  }

  private where(doing: string): S3Where {
    const { endpoint, region } = this.connection.options;
    return { bucket: this.bucket, service: endpoint ?? "AWS", region: region ?? "of the environment", doing };
  }
}

/**
 * Where a listing "at or after" a name begins: the service takes a name that is not to be listed any more. The name
 * without its last character comes before it, with little in between for names that are numbered.
 */
function startBefore(prefix: string, from: string): { StartAfter?: string } {
  const before = [...from].slice(0, -1).join("");
  return before === "" ? {} : { StartAfter: prefix + before };
}
