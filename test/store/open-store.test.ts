import { inspect } from "node:util";
import { expect, it, vi } from "vitest";
import { openStore } from "../../lakehouse/lake.ts";

it.each([
  "s3://",
  "s3://b",
  "s3://-bucket-/x",
  "s3://bucket//x",
  "s3://bucket/a/../b",
  "s3://bucket/a//",
  "s3://key:hunter2@bucket/lake",
])("%s is no lake", (address) => {
  const error = (() => {
    try {
      return openStore(address);
    } catch (e) {
      return e;
    }
  })();
  expect(error).toMatchObject({ code: "LAKE_INVALID", allowed: expect.stringContaining("s3://bucket") });
  expect(inspect(error)).not.toContain("hunter2");
});

it("opens a lake by address, and a slash at its end changes nothing", () => {
  expect(openStore("s3://bucket/a/b/").root).toBe("s3://bucket/a/b");
  expect(openStore("s3://bucket").root).toBe("s3://bucket");
  expect(openStore("s3://bucket/").within("x").root).toBe("s3://bucket/x");
  expect(() => openStore("gs://bucket")).toThrow(expect.objectContaining({ code: "LAKE_UNSUPPORTED" }));
});

it("takes a wrong variable of the environment for the mistake it is", () => {
  vi.stubEnv("AWS_ENDPOINT_URL_S3", "s3.example.com");
  expect(() => openStore("s3://bucket/lake")).toThrow(
    expect.objectContaining({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("AWS_ENDPOINT_URL_S3"),
    }),
  );
  expect(openStore("./lake").root).toMatch(/lake$/);
  vi.unstubAllEnvs();
});
