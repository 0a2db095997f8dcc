import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { relative } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { loadConfig } from "../jobs/load-config.ts";
import { TerminalError } from "../lakehouse/errors.ts";
import { parseConfig } from "../layers/definition/config.ts";
import { postgres } from "../layers/definition/pipeline.ts";
import { useFolder } from "./support/folder.ts";

const folder = useFolder();

const pipelines = [{ name: "shop", source: postgres({ tables: { orders: {} } }) }];
const parse = (input: object, environment: Record<string, string> = {}) =>
  parseConfig({ pipelines, ...input }, environment, "ingot.config.ts");

function failure(input: object, environment: Record<string, string> = {}): TerminalError {
  try {
    parse(input, environment);
  } catch (error) {
    if (error instanceof TerminalError) return error;
  }
  throw new Error("it was accepted");
}

it("has a default for every setting", () => {
  expect(parse({})).toMatchObject({ lake: "./lake", memoryMb: 256, threads: 2, concurrency: 3, s3: {} });
});

it("lets the environment override the file, and an empty variable not", () => {
  const config = parse(
    { lake: "./a", redis: "redis://file" },
    {
      INGOT_LAKE: "/srv/lake",
      DATABASE_URL: "postgres://u:p@h/d",
      REDIS_URL: "",
      INGOT_MEMORY_MB: "512",
      AWS_ENDPOINT_URL: "https://general.example",
      AWS_ENDPOINT_URL_S3: "https://s3.example",
      AWS_REGION: "eu-central-1",
    },
  );
  expect(config).toMatchObject({
    lake: "/srv/lake",
    database: "postgres://u:p@h/d",
    redis: "redis://file",
    memoryMb: 512,
    s3: { endpoint: "https://s3.example", region: "eu-central-1" },
  });
});

it("takes a lake on S3, and how to reach it", () => {
  const lake = "s3://bucket/lake";
  const s3 = { endpoint: "http://127.0.0.1:9000", region: "eu-west-1", pathStyle: false };
  expect(parse({ lake, s3 })).toMatchObject({ lake, s3 });
  expect(parse({}, { INGOT_LAKE: lake, INGOT_S3_PATH_STYLE: "true" })).toMatchObject({
    lake,
    s3: { pathStyle: true },
  });
  expect(parse({ s3 }, { INGOT_S3_PATH_STYLE: "1", AWS_DEFAULT_REGION: "us-east-2" }).s3).toEqual({
    ...s3,
    region: "us-east-2",
    pathStyle: true,
  });
  expect(failure({}, { INGOT_S3_PATH_STYLE: "perhaps" })).toMatchObject({
    message: expect.stringContaining("INGOT_S3_PATH_STYLE"),
    value: "perhaps",
    allowed: "true or false",
  });
  expect(failure({}, { AWS_ENDPOINT_URL: "s3.example.com" }).allowed).toContain("https://");
  expect(failure({ s3: { accessKeyId: "AKIA" } }).message).toContain("s3.accessKeyId");
  const withKeys = failure({ s3: { endpoint: "https://key:hunter2@s3.example.com" } });
  expect(JSON.stringify({ ...withKeys, message: withKeys.message })).not.toContain("hunter2");
});

it("names key, value and what is allowed", () => {
  expect(failure({ threads: 0 })).toMatchObject({ value: 0, allowed: "a number from 1 to 1024" });
  expect(failure({ threads: 0 }).message).toContain('"threads" in ingot.config.ts');
  expect(failure({}, { INGOT_THREADS: "many" })).toMatchObject({ value: "many", allowed: "a whole number" });
  expect(failure({}, { INGOT_THREADS: "many" }).message).toContain("INGOT_THREADS");
  expect(failure({ lakes: "./x" })).toMatchObject({ value: "./x" });
  expect(failure({ lakes: "./x" }).message).toContain('"lakes"');
  expect(failure({ pipelines: [] }).allowed).toBe("at least one pipeline");
  const bad = { name: "shop", source: postgres({ tables: { orders: { deletes: "maybe" as "compare" } } }) };
  expect(failure({ pipelines: [bad] })).toMatchObject({ value: "maybe", allowed: '"ignore" or "compare"' });
});

it("never shows an address that may hold a password", () => {
  const error = failure({}, { DATABASE_URL: "mysql://root:hunter2@db/x" });
  expect(error.message).toContain("DATABASE_URL");
  expect(JSON.stringify({ ...error, message: error.message })).not.toContain("hunter2");
});

it("takes where OpenLineage events go, and never shows the address or the key", () => {
  expect(parse({}).openLineage).toBeUndefined();
  expect(parse({ openLineage: { file: "./events.jsonl" } }).openLineage).toEqual({
    file: "./events.jsonl",
    namespace: "ingot",
  });
  const environment = { OPENLINEAGE_URL: "http://localhost:5000", OPENLINEAGE_API_KEY: "hunter2" };
  expect(parse({ openLineage: { namespace: "shop", url: "http://other" } }, environment).openLineage).toEqual(
    {
      url: "http://localhost:5000",
      apiKey: "hunter2",
      namespace: "shop",
    },
  );
  expect(parse({}, { OPENLINEAGE_API_KEY: "hunter2" }).openLineage).toMatchObject({ namespace: "ingot" });
  expect(failure({ openLineage: {} }).allowed).toBe("{ url } or { file }, or both");
  expect(failure({}, { OPENLINEAGE_URL: "localhost:5000" })).toMatchObject({
    message: expect.stringContaining("OPENLINEAGE_URL"),
    allowed: expect.stringContaining("http://"),
  });
  const withKeys = failure({ openLineage: { url: "ftp://me:hunter2@host", apiKey: "" } });
  expect(JSON.stringify({ ...withKeys, message: withKeys.message })).not.toContain("hunter2");
});

it("names a pipeline and its own file where one of its values is wrong", async () => {
  const path = `${folder.path}/bench`;
  await mkdir(path);
  await writeFile(`${path}/pipeline.ts`, "");
  const bench = {
    ...{ name: "bench", source: postgres({ tables: {} }), folder: pathToFileURL(`${path}/`) },
    schedules: { refresh: { cron: "0 0 0 0 0 0 0" } },
  };
  const error = failure({ pipelines: [...pipelines, bench] });
  const file = relative(process.cwd(), `${path}/pipeline.ts`);
  expect(error.message).toBe(
    `"schedules.refresh.cron" of pipeline bench in ${file} has a value that cannot be used`,
  );
  expect(error).toMatchObject({ value: "0 0 0 0 0 0 0", next: `Correct ${file}.` });
  expect(error.allowed).toMatch(/^a cron expression, such as \S+ \* \* \* \*: [^:]*$/);
  const typo = failure({ pipelines: [{ ...bench, folder: undefined, schedules: {}, glod: {} }] });
  expect(typo.message).toBe('"glod" of pipeline bench in ingot.config.ts is not a key that exists');
});

it.each([
  ["a method that is none", "export const id = long().min(0);", "schemas.ts:3", "long(...).min is not a"],
  ["a syntax error", "export const id = { a: 1 b: 2 };", "schemas.ts:3:26", "Unexpected token"],
  [
    "a contract",
    'export const id = defineTable({ name: "a", description: "x", columns: {} });',
    "schemas.ts:3",
    "contract a: a table needs columns",
  ],
  ["a file that is gone", 'export * from "./gone.ts";', "schemas.ts:3", "Cannot find module './gone.ts'"],
])("%s in an imported file is told with that file and line", async (_case, line, place, why) => {
  const path = await mkdtemp(`${folder.path}/broken-`);
  await writeFile(`${path}/schemas.ts`, `import { defineTable, long } from "ingot";\n\n${line}\n`);
  await writeFile(`${path}/ingot.config.ts`, 'import { id } from "./schemas.ts";\nexport default { id };\n');
  const error = await loadConfig(`${path}/ingot.config.ts`).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "CONFIG_BROKEN", value: relative(process.cwd(), `${path}/${place}`) });
  expect(error).toHaveProperty("message", expect.stringContaining(`${place}: ${why}`));
});
