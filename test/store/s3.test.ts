import { writeFile } from "node:fs/promises";
import { ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { describe, expect, it } from "vitest";
import { connectS3, TIMEOUTS } from "../../lakehouse/store/s3-client.ts";
import { useFolder } from "../support/folder.ts";
import { s3Available, useS3 } from "../support/s3.ts";
import { type Mishap, useTearingProxy } from "../support/tearing-proxy.ts";

const MEGABYTE = 1024 * 1024;
const folder = useFolder();
const s3 = useS3();
const proxy = useTearingProxy(() => s3.endpoint);

/** A new folder of the bucket, reached through the proxy. */
function proxied(timeouts = TIMEOUTS) {
  proxy.seen.length = 0;
  return s3.store(undefined, { endpoint: proxy.endpoint, timeouts });
}
const fail = (method: string, part: string, ...mishaps: Mishap[]) => {
  for (const mishap of mishaps)
    proxy.plan.push({ when: (m, url) => m === method && url.includes(part), mishap });
};
const answer = (status: number, code?: string): Mishap => ({
  kind: "answer",
  status,
  ...(code === undefined ? {} : { code }),
});
const bytes = Buffer.from("content");
const puts = () => proxy.seen.filter((line) => line.startsWith("PUT"));

describe.skipIf(!s3Available())("conditional creation on S3", () => {
  it("rejects, and tries no second time, when it was carried out and the answer lost", async () => {
    const store = proxied();
    fail("PUT", "/entry", { kind: "tear-after" });
    await expect(store.putIfAbsent("entry", bytes)).rejects.toMatchObject({
      name: "TransientError",
      code: "S3_FAILED",
    });
    expect(puts()).toHaveLength(1);
    expect(Buffer.from((await store.get("entry")) ?? [])).toEqual(bytes);
  });

  it("rejects, and tries no second time, when an answer never comes or tells of an inner failure", async () => {
    const store = proxied({ connect: 5_000, request: 300, idle: 300 });
    fail("PUT", "/stalled", { kind: "stall" });
    await expect(store.putIfAbsent("stalled", bytes)).rejects.toMatchObject({ code: "S3_FAILED" });
    fail("PUT", "/inner", answer(500, "InternalError"));
    await expect(store.putIfAbsent("inner", bytes)).rejects.toMatchObject({ code: "S3_FAILED" });
    fail("PUT", "/away", answer(503));
    await expect(store.putIfAbsent("away", bytes)).rejects.toMatchObject({ name: "TransientError" });
    expect(puts()).toHaveLength(3);
    expect(await store.get("inner")).toBeUndefined();
  });

  it("tries again what was turned away unread", async () => {
    const store = proxied();
    fail("PUT", "/slow", answer(503, "SlowDown"), answer(429), answer(409, "ConditionalRequestConflict"));
    expect(await store.putIfAbsent("slow", bytes)).toBe(true);
    expect(puts()).toHaveLength(4);
  });

  it("finds the rival after a conflict", async () => {
    const store = proxied();
    await store.put("taken", Buffer.from("rival"));
    fail("PUT", "/taken", answer(409, "ConditionalRequestConflict"));
    expect(await store.putIfAbsent("taken", bytes)).toBe(false);
  });

  it("gives up on a conflict that does not end", async () => {
    const store = proxied();
    fail("PUT", "/busy", ...Array.from({ length: 20 }, () => answer(409, "ConditionalRequestConflict")));
    await expect(store.putIfAbsent("busy", bytes)).rejects.toMatchObject({
      name: "TransientError",
      message: expect.stringContaining("ConditionalRequestConflict, HTTP 409"),
    });
    expect(puts()).toHaveLength(7);
    proxy.plan.length = 0;
  });
});

describe.skipIf(!s3Available())("S3 over a bad connection", () => {
  it("repeats what may be done twice", async () => {
    const store = proxied();
    fail("PUT", "/a", { kind: "tear-before" }, { kind: "tear-after" }, answer(500), answer(502));
    await store.put("a", bytes);
    fail("GET", "/a", { kind: "tear-body" }, { kind: "tear-after" }, answer(504));
    expect(Buffer.from((await store.get("a")) ?? [])).toEqual(bytes);
    fail("GET", "list-type=2", { kind: "tear-body" }, answer(503, "SlowDown"));
    expect(await store.list("")).toMatchObject([{ path: "a", size: bytes.length }]);
    fail("DELETE", "/a", { kind: "tear-after" });
    await store.delete("a");
    expect(await store.get("a")).toBeUndefined();
  });

  it("reads again what stalled half way", async () => {
    const store = proxied({ connect: 5_000, request: 400, idle: 400 });
    await store.put("a", bytes);
    fail("GET", "/a", { kind: "stall" });
    expect(await store.getRange("a", 0, 3)).toHaveLength(3);
  });
});

describe.skipIf(!s3Available())("large files on S3", () => {
  const openUploads = async () => {
    const client = await connectS3(s3, s3.credentials, TIMEOUTS);
    const found = await client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket }));
    client.destroy();
    return found.Uploads ?? [];
  };
  const large = async (name: string) => {
    const file = `${folder.path}/${name}`;
    await writeFile(file, Buffer.alloc(20 * MEGABYTE, name));
    return file;
  };

  it("arrive over a connection that breaks in every step", async () => {
    const store = proxied();
    fail("POST", "?uploads", answer(503));
    fail("PUT", "partNumber=2", { kind: "tear-before" }, { kind: "tear-after" }, answer(500));
    fail("POST", "?uploadId", { kind: "tear-after" });
    await store.putFile("broken", await large("broken"));
    expect(proxy.plan).toEqual([]);
    expect(await store.list("")).toMatchObject([{ path: "broken", size: 20 * MEGABYTE }]);
    const whole = Buffer.from((await store.get("broken")) ?? []);
    expect(whole.equals(Buffer.alloc(20 * MEGABYTE, "broken"))).toBe(true);
    expect(await openUploads()).toEqual([]);
  });

  it("leave nothing behind when a part is refused, and stay on the disk", async () => {
    const store = proxied();
    fail("PUT", "partNumber=2", answer(403, "AccessDenied"));
    const file = await large("refused");
    await expect(store.putFile("refused", file)).rejects.toMatchObject({ code: "S3_ACCESS_DENIED" });
    expect(await store.list("")).toEqual([]);
    expect(await openUploads()).toEqual([]);
    await store.putFile("refused", file);
    expect(await store.list("")).toHaveLength(1);
  });

  it("do not take another upload's object for their own", async () => {
    const store = proxied();
    await store.putFile("same", await large("first"));
    fail("POST", "?uploadId", answer(404, "NoSuchUpload"));
    await expect(store.putFile("same", await large("second"))).rejects.toMatchObject({ code: "S3_REFUSED" });
    expect(Buffer.from((await store.getRange("same", 0, 5)) ?? []).toString()).toBe("first");
  });
});

it.skipIf(!s3Available())("gives DuckDB an address only where it can open one", () => {
  expect(s3.store("lake/a").address("b.parquet")).toBeUndefined();
  expect(s3.store("lake/a", { direct: true }).within("t").address("b c.parquet")).toBe(
    "s3://lake/lake/a/t/b c.parquet",
  );
  expect(() => s3.store("lake", { direct: true }).address("../x")).toThrow(RangeError);
});
