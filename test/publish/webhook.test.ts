import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { WebhookTarget } from "../../layers/publish/webhook.ts";
import { publicationOf, rowsOf } from "./publications.ts";

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Statuses that it answers with, one a request; 204 after the last. */
let answers: number[] = [];
let received: Received[] = [];
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => {
    body += chunk;
  });
  request.on("end", () => {
    received.push({ headers: request.headers, body });
    const status = answers.shift() ?? 204;
    response.writeHead(status, status === 302 ? { location: "http://127.0.0.1:1/" } : {}).end();
  });
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  answers = [];
  received = [];
});

const SECRET = "a-secret-of-this-test";
const hook = (store = new MemoryStore()) => {
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/versions?key=hidden-in-the-address`;
  return new WebhookTarget("hook", store, { url, secret: SECRET, pauses: [1, 1] });
};

it("posts a version once, signed over its time and body, with a key that is its own", async () => {
  const target = hook();
  await target.publish(publicationOf("shop/top", { version: 3 }));
  await target.publish(publicationOf("shop/top", { version: 3 }));
  expect(received).toHaveLength(1);
  const [{ headers, body } = { headers: {}, body: "" }] = received;
  const {
    rows: _rows,
    columns: _c,
    form: _f,
    fingerprint: _p,
    key: _k,
    ...stamp
  } = publicationOf("shop/top", {
    version: 3,
  });
  expect(JSON.parse(body)).toEqual({ ...stamp, move: 1, rolledBack: false, rows: rowsOf(3) });
  const [time = "", signature] = String(headers["ingot-signature"])
    .split(",")
    .map((part) => part.slice(part.indexOf("=") + 1));
  expect(signature).toBe(createHmac("sha256", SECRET).update(`${time}.${body}`).digest("hex"));
  expect(headers["idempotency-key"]).toBe(`shop/top:${stamp.token}:1`);
  await target.rollback("shop/top");
  await target.publish(publicationOf("shop/top", { version: 4 }));
  await target.rollback("shop/top");
  expect(
    received.map((request) => JSON.parse(request.body)).map((b) => [b.version, b.move, b.rolledBack]),
  ).toEqual([
    [3, 1, false],
    [4, 2, false],
    [3, 3, true],
  ]);
});

it("tries again what passes, with the same key, and no more often than it may", async () => {
  answers = [503, 429];
  await hook().publish(publicationOf("shop/top", { version: 1 }));
  expect(received).toHaveLength(3);
  expect(new Set(received.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
  answers = [500, 500, 500, 500];
  await expect(hook().publish(publicationOf("shop/top", { version: 1 }))).rejects.toMatchObject({
    code: "WEBHOOK_UNREACHABLE",
  });
  expect(received).toHaveLength(6);
});

it("posts by the next publication what was not taken, though gold has not changed", async () => {
  const target = hook();
  answers = [500, 500, 500];
  await expect(target.publish(publicationOf("shop/top", { version: 1 }))).rejects.toThrow();
  received = [];
  expect((await target.publish(publicationOf("shop/top", { version: 1 }))).status).toBe("unchanged");
  expect(received).toHaveLength(1);
});

it("takes 409 for a receiver that has a newer version, and follows no redirect", async () => {
  answers = [409];
  expect((await hook().publish(publicationOf("shop/top", { version: 1 }))).status).toBe("published");
  answers = [302, 302, 302];
  await expect(hook().publish(publicationOf("shop/top", { version: 1 }))).rejects.toMatchObject({
    code: "WEBHOOK_UNREACHABLE",
  });
});

it("refuses with the status, and tells neither secret nor address", async () => {
  answers = [401];
  const failure = await hook()
    .publish(publicationOf("shop/top", { version: 1 }))
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "WEBHOOK_REFUSED", value: "status 401" });
  expect(received).toHaveLength(1);
  const gone = new WebhookTarget("hook", new MemoryStore(), {
    url: "http://127.0.0.1:1/?key=hidden-in-the-address",
    secret: SECRET,
    pauses: [],
  });
  const unreachable = await gone
    .publish(publicationOf("shop/top", { version: 1 }))
    .catch((error: unknown) => error);
  for (const error of [failure, unreachable]) {
    const text = `${error} ${JSON.stringify(error)}`;
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain("hidden-in-the-address");
  }
});
