import { expect, it } from "vitest";
import { TerminalError } from "../lakehouse/errors.ts";
import { parseConfig } from "../layers/definition/config.ts";
import { postgres } from "../layers/definition/pipeline.ts";

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
