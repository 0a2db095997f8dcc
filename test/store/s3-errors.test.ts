import { inspect } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { IngotError } from "../../lakehouse/errors.ts";
import { S3Store } from "../../lakehouse/store/s3.ts";
import { toStoreError } from "../../lakehouse/store/s3-errors.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { s3Available, useS3 } from "../support/s3.ts";
import { type Mishap, useTearingProxy } from "../support/tearing-proxy.ts";

const s3 = useS3();
const proxy = useTearingProxy(() => s3.endpoint);
afterEach(() => vi.unstubAllEnvs());

async function failure(work: Promise<unknown>): Promise<IngotError> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (error instanceof IngotError) return error;
  throw new Error(`no error of Ingot's: ${inspect(error)}`);
}

const everything = (store: ObjectStore): (() => Promise<unknown>)[] => [
  () => store.get("a"),
  () => store.getRange("a", 0, 1),
  () => store.list(""),
  () => store.put("a", Buffer.from("x")),
  () => store.putIfAbsent("a", Buffer.from("x")),
  () => store.delete("a"),
];

const secret = "not-this-secret-0123456789";

describe.skipIf(!s3Available())("an error of S3 says what is wrong", () => {
  it.each([
    ["a bucket that is not there", "S3_BUCKET_MISSING", () => new S3Store("s3://absent/lake", reach())],
    [
      "a wrong secret",
      "S3_SIGNATURE_REFUSED",
      () => s3.store("a", { credentials: { ...s3.credentials, secretAccessKey: secret } }),
    ],
    [
      "an unknown key",
      "S3_KEY_UNKNOWN",
      () => s3.store("a", { credentials: { accessKeyId: "AKIAUNKNOWN", secretAccessKey: secret } }),
    ],
    ["a wrong region", "S3_REGION_WRONG", () => s3.store("a", { region: "eu-central-1" })],
    ["TLS where there is none", "S3_TLS_FAILED", () => s3.store("a", { endpoint: https(s3.endpoint) })],
  ])("%s", async (_name, code, makeStore) => {
    const store = makeStore();
    for (const work of everything(store)) {
      const error = await failure(work());
      expect(error).toMatchObject({ name: "TerminalError", code, next: expect.stringMatching(/\w+/) });
      expect(error.value).toEqual(expect.any(String));
      expect(error.allowed).toEqual(expect.any(String));
      const shown = inspect(error, { depth: 10, showHidden: true });
      for (const hidden of [secret, "AKIAUNKNOWN", ...Object.values(s3.credentials), "Signature=", "X-Amz-"])
        expect(shown).not.toContain(hidden);
    }
  });

  it("the right region, where the service tells it", async () => {
    const error = await failure(s3.store("a", { region: "eu-central-1" }).get("x"));
    expect(error).toMatchObject({ value: "eu-central-1", allowed: "us-east-1" });
  });

  it("an endpoint where nothing listens", async () => {
    const endpoint = "http://127.0.0.1:1";
    const error = await failure(s3.store("a", { endpoint }).get("x"));
    expect(error).toMatchObject({ name: "TransientError", code: "S3_UNREACHABLE", value: endpoint });
  });

  it("no credentials", async () => {
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
    for (const file of ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]) vi.stubEnv(file, "/nonexistent");
    for (const name of [
      "AWS_ACCESS_KEY_ID",
      "AWS_SECRET_ACCESS_KEY",
      "AWS_PROFILE",
      "AWS_WEB_IDENTITY_TOKEN_FILE",
      "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
      "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ])
      vi.stubEnv(name, undefined);
    const store = new S3Store("s3://lake/a", { endpoint: s3.endpoint });
    expect(await failure(store.list(""))).toMatchObject({
      name: "TerminalError",
      code: "S3_CREDENTIALS_MISSING",
      allowed: expect.stringContaining("AWS_ACCESS_KEY_ID"),
    });
  });

  it("no region on AWS", async () => {
    vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent");
    for (const name of [
      "AWS_REGION",
      "AWS_DEFAULT_REGION",
      "AWS_PROFILE",
      "AWS_ENDPOINT_URL",
      "AWS_ENDPOINT_URL_S3",
    ])
      vi.stubEnv(name, undefined);
    const store = new S3Store("s3://lake/a", { credentials: s3.credentials });
    expect(await failure(store.get("x"))).toMatchObject({ code: "S3_REGION_MISSING" });
  });

  it.each([
    [403, "AccessDenied", "S3_ACCESS_DENIED"],
    [403, undefined, "S3_ACCESS_DENIED"],
    [400, "ExpiredToken", "S3_CREDENTIALS_EXPIRED"],
    [403, "RequestTimeTooSkewed", "S3_CLOCK_SKEWED"],
    [301, "PermanentRedirect", "S3_REGION_WRONG"],
    [501, "NotImplemented", "S3_UNSUPPORTED"],
    [418, "Teapot", "S3_REFUSED"],
  ])("HTTP %i %s", async (status, code, expected) => {
    const mishap: Mishap = { kind: "answer", status, ...(code === undefined ? {} : { code }) };
    proxy.plan.push({ when: () => true, mishap });
    const store = s3.store("a", { endpoint: proxy.endpoint });
    expect(await failure(store.put("x", Buffer.from("")))).toMatchObject({
      name: "TerminalError",
      code: expected,
    });
  });
});

it("keeps nothing of a signed request that an error carries", () => {
  const carried = Object.assign(new Error("refused"), {
    name: "SignatureDoesNotMatch",
    CanonicalRequest: "x-amz-security-token:TOKEN",
    AWSAccessKeyId: "AKIA",
  });
  const where = { bucket: "b", service: "AWS", region: "r", doing: "read x" };
  const shown = inspect(toStoreError(carried, where), { depth: 10, showHidden: true });
  expect(shown).toContain("SignatureDoesNotMatch: refused");
  expect(shown).not.toMatch(/TOKEN|AKIA/);
});

const reach = () => ({ endpoint: s3.endpoint, credentials: s3.credentials });
const https = (endpoint: string) => endpoint.replace("http:", "https:");
