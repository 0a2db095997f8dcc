/** What commands do where S3 is away, slow, in trouble or refuses them: they go on, or say why, and nothing is lost. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectS3, TIMEOUTS } from "../../lakehouse/store/s3-client.ts";
import { findS3Server, type S3Server, startS3 } from "../../scripts/services/s3-server.ts";
import { ingotCli, writeProject } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";
import { useDatabase } from "../support/postgres.ts";
import { s3Available } from "../support/s3.ts";
import { type Mishap, useTearingProxy } from "../support/tearing-proxy.ts";

const folder = useFolder();
const SECRET = "a-secret-that-nobody-may-read-0123456789";

describe.skipIf(!s3Available())("S3 in trouble", () => {
  const database = useDatabase();
  let server: S3Server;
  let data: string;
  const proxy = useTearingProxy(() => server.endpoint);

  /** Starts the server, with what it held before. */
  async function start(): Promise<void> {
    const binary = await findS3Server();
    if (binary === undefined) throw new Error("no S3 server");
    const before: S3Server | undefined = server;
    const again = before === undefined ? {} : { credentials: before.credentials };
    server = await startS3({ folder: data, binary, ...again });
  }

  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), "ingot-test-s3-"));
    await start();
    const client = await connectS3(server, server.credentials, TIMEOUTS);
    await client.send(new CreateBucketCommand({ Bucket: "lake" }));
    client.destroy();
    await database.query("CREATE TABLE items (id bigint PRIMARY KEY, v text)");
    await database.query("INSERT INTO items SELECT g, 'v' || g FROM generate_series(1, 100) g");
    await writeProject(folder.path, "{ items: {} }", {
      name: "items",
      contract:
        'defineTable({ name: "items", description: "items", key: ["id"], columns: { id: long(), v: text() } })',
      sql: "SELECT id, v FROM bronze.items",
    });
    expect(await ingot(["run"])).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(data, { recursive: true, force: true });
  });

  const ingot = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
    ingotCli(folder.path, args, {
      DATABASE_URL: database.url,
      INGOT_LAKE: "s3://lake/shop",
      INGOT_CACHE: `${folder.path}/cache`,
      AWS_ENDPOINT_URL: proxy.endpoint,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
      ...environment,
    });
  /** What went wrong, as programs read it. */
  const failure = async (args: readonly string[], environment: Readonly<Record<string, string>> = {}) => {
    const { code, stdout, stderr } = await ingot([...args, "--json"], environment);
    expect(stdout + stderr).not.toContain(
      environment.AWS_SECRET_ACCESS_KEY ?? server.credentials.secretAccessKey,
    );
    const [last = ""] = stderr.trim().split("\n").slice(-1);
    return { exit: code, ...(JSON.parse(last) as Record<string, unknown>) };
  };
  const rowsOf = async (table: string) => {
    const { stdout } = await ingot(["sql", `SELECT id, v FROM ${table} ORDER BY id`, "--jsonl"]);
    return stdout.trim().split("\n");
  };
  const expectedRows = async () => {
    const rows = await database.query<{ id: string; v: string }>(
      "SELECT id::text, v FROM items ORDER BY items.id",
    );
    return rows.map(({ id, v }) => `{"id":${id},"v":"${v}"}`);
  };
  /** The next requests that fit meet this. */
  const meet = (
    count: number,
    mishap: Mishap,
    fits: (method: string, url: string) => boolean = () => true,
  ) => {
    for (let i = 0; i < count; i++) proxy.plan.push({ when: fits, mishap });
  };
  const isLog = (method: string, url: string) => method === "PUT" && url.includes("/_delta_log/");

  it("requests that are put off or fail now and then are made again", async () => {
    await database.query("UPDATE items SET v = 'slow' WHERE id <= 20");
    meet(3, { kind: "answer", status: 503, code: "SlowDown" });
    meet(2, { kind: "answer", status: 500, code: "InternalError" }, (method) => method === "GET");
    meet(2, { kind: "answer", status: 503, code: "SlowDown" }, isLog);
    // The commit is there, and its answer is lost.
    meet(1, { kind: "tear-after" }, isLog);
    expect(await ingot(["run"])).toMatchObject({ code: 0 });
    expect(proxy.plan).toEqual([]);
    expect(await rowsOf("silver.items")).toEqual(await expectedRows());
  });

  it("a server that dies in the middle of a build ends it with what is wrong, and the next one ends the work", async () => {
    await database.query("UPDATE items SET v = 'late' WHERE id <= 30");
    expect(await ingot(["sync"])).toMatchObject({ code: 0 });
    let died: Promise<void> | undefined;
    proxy.plan.push({
      when: (method, url) => {
        if (method === "PUT" && url.includes("/silver/")) died ??= server.stop();
        return false;
      },
      mishap: { kind: "stall" },
    });
    const failed = await failure(["build"]);
    proxy.plan.length = 0;
    expect(died).toBeDefined();
    await died;
    expect(failed).toMatchObject({
      exit: 1,
      transient: true,
      error: expect.stringContaining("s3://lake/shop"),
    });
    await start();
    expect(await ingot(["build"])).toMatchObject({ code: 0 });
    expect(await rowsOf("silver.items")).toEqual(await expectedRows());
    expect((await ingot(["table", "check", "mine.silver.items", "--deep"])).code).toBe(0);
  });

  it("credentials that end during a build are told, and new ones go on", async () => {
    await database.query("UPDATE items SET v = 'ended' WHERE id <= 40");
    expect(await ingot(["sync"])).toMatchObject({ code: 0 });
    meet(50, { kind: "answer", status: 400, code: "ExpiredToken" }, (_method, url) =>
      url.includes("/silver/"),
    );
    const failed = await failure(["build"]);
    proxy.plan.length = 0;
    expect(failed).toMatchObject({ exit: 1, code: "S3_CREDENTIALS_EXPIRED" });
    expect(await ingot(["build"])).toMatchObject({ code: 0 });
    expect(await rowsOf("silver.items")).toEqual(await expectedRows());
  });

  it.each([
    ["a wrong secret", { AWS_SECRET_ACCESS_KEY: SECRET }, "S3_SIGNATURE_REFUSED"],
    [
      "a key that nobody knows",
      { AWS_ACCESS_KEY_ID: "unknown", AWS_SECRET_ACCESS_KEY: SECRET },
      "S3_KEY_UNKNOWN",
    ],
    ["a bucket that is not there", { INGOT_LAKE: "s3://nowhere/shop" }, "S3_BUCKET_MISSING"],
    ["an address where nothing listens", { AWS_ENDPOINT_URL: "http://127.0.0.1:1" }, "S3_UNREACHABLE"],
  ])("%s is told by name, whatever runs", async (_what, environment, code) => {
    for (const command of [["build"], ["sql", "FROM silver.items"]])
      expect(await failure(command, environment), command.join(" ")).toMatchObject({ exit: 1, code });
  });

  it.each([
    ["a clock that is wrong", 403, "RequestTimeTooSkewed", "S3_CLOCK_SKEWED"],
    ["missing rights", 403, "AccessDenied", "S3_ACCESS_DENIED"],
  ])("%s is told by name", async (_what, status, answer, code) => {
    meet(50, { kind: "answer", status, code: answer });
    const failed = await failure(["build"]);
    proxy.plan.length = 0;
    expect(failed).toMatchObject({ exit: 1, code });
  });
});
