/** The API over real requests: what clients are told, and what they are refused. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningServer } from "../../jobs/serve/server.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { redisSource, sourceOf } from "../../layers/publish/client-source.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { RedisTarget } from "../../layers/publish/redis.ts";
import type { PublishTarget } from "../../layers/publish/target.ts";
import { defineTable, integer, text } from "../../schemas/index.ts";
import { publicationOf, rowsOf } from "../publish/publications.ts";
import { useFolder } from "../support/folder.ts";
import { redisAvailable, useRedis } from "../support/redis.ts";
import { readEvents } from "./events.ts";
import { rawGet, serve, unexpected } from "./served.ts";

const folder = useFolder();
const lookup = { kind: "lookup", by: ["i"] } as const;
const contract = defineTable({
  name: "top",
  description: "top",
  key: ["i"],
  columns: { i: integer(), version: integer(), filler: text() },
});
const PUBLISH = [
  { model: "top", title: "Top" },
  { model: "top", name: "rows", title: "Rows", as: lookup },
  { model: "top", name: "pairs", title: "Pairs", as: { kind: "lookup", by: ["i", "filler"] } as const },
  { model: "top", name: "nothing", title: "Never published" },
  { model: "top", name: "late", title: "Published before it was declared a lookup", as: lookup },
];
/** What answers hold, as far as tests look at it. */
interface Body {
  readonly version: number;
  readonly rows: readonly unknown[];
  readonly sets: readonly { readonly set: string; readonly version: unknown }[];
  readonly error: { readonly code: string };
}
const bodyOf = async (response: Response | Promise<Response>) => (await (await response).json()) as Body;
const errorOf = async (response: Response) => [response.status, (await bodyOf(response)).error.code];

function suite(open: () => Promise<{ target: PublishTarget; source: ReturnType<typeof sourceOf> }>): void {
  let target: PublishTarget;
  let source: ReturnType<typeof sourceOf>;
  let server: RunningServer;
  const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    fetch(`${server.url}${path}`, { headers, method });

  beforeAll(async () => {
    ({ target, source } = await open());
    server = await serve({ contract, publish: PUBLISH, source });
    await target.publish(publicationOf("shop/top", { version: 1 }));
    const hostile = ["events", "..", "a/b", "100%", "ü ?#", "", "%2e", "a:b", "__proto__"];
    const rows = hostile.map((i) => ({ i, version: 1, filler: "x" }));
    await target.publish(publicationOf("shop/rows", { version: 1, form: lookup, rows }));
    await target.publish(publicationOf("shop/late", { version: 1 }));
    await target.publish({
      ...publicationOf("shop/pairs", { version: 1, form: { kind: "lookup", by: ["i", "filler"] } }),
      rows: async function* () {
        yield { json: ['{"i":1}', '{"i":2}'], ids: ["a%3Ab:c", "a:b%3Ac"], scores: [0, 0], values: ["", ""] };
      },
    });
  });
  afterAll(async () => {
    await server.stop();
    await source.close();
    await target.close();
    expect(unexpected).toEqual([]);
  });

  it("lists what there is, with the newest version of each", async () => {
    const { sets } = await bodyOf(get("/v1/"));
    expect(sets.map((set: { set: string }) => set.set)).toEqual(
      PUBLISH.map((p) => `shop/${p.name ?? "top"}`),
    );
    const { rows: _, ...stamp } = (await target.read("shop/top")) ?? { rows: [] };
    expect(sets[0]).toEqual({
      set: "shop/top",
      title: "Top",
      kind: "list",
      path: "/v1/shop/top",
      version: stamp,
    });
    expect(sets[2]).toMatchObject({ kind: "lookup", key: ["i", "filler"] });
    expect(sets[3]?.version).toBeNull();
    expect((await bodyOf(get("/v1/shop"))).sets).toEqual(sets);
    expect(await errorOf(await get("/v1/stock"))).toEqual([404, "PIPELINE_UNKNOWN"]);
    expect(await (await get("/healthz")).json()).toEqual({ status: "ok" });
  });

  it("gives a version whole, and not again to whoever has it", async () => {
    const first = await get("/v1/shop/top");
    const tag = first.headers.get("etag") ?? "";
    const version = await target.read("shop/top");
    expect(await first.json()).toEqual(version);
    expect(tag).toContain(version?.token);
    expect(first.headers.get("cache-control")).toBe("no-cache");
    for (const known of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
      const again = await get("/v1/shop/top", { "if-none-match": known });
      expect([known, again.status, again.headers.get("etag"), await again.text()]).toEqual([
        known,
        304,
        tag,
        "",
      ]);
    }
    const head = await get("/v1/shop/top", {}, "HEAD");
    expect([head.status, head.headers.get("etag"), await head.text()]).toEqual([200, tag, ""]);
    const arrow = await get("/v1/shop/top?format=arrow", { "if-none-match": tag });
    expect(arrow.status).toBe(200);
    await arrow.body?.cancel();

    await target.publish(publicationOf("shop/top", { version: 2 }));
    const newer = await get("/v1/shop/top", { "if-none-match": tag });
    expect([newer.status, (await bodyOf(newer)).version]).toEqual([200, 2]);
    // The same version, declared otherwise: its token is the same, what it holds is not.
    const newerTag = newer.headers.get("etag") ?? "";
    const part = publicationOf("shop/top", { version: 2, rows: rowsOf(2, 5), fingerprint: "other" });
    await target.publish({ ...part, publishedAt: new Date(1).toISOString() });
    const other = await get("/v1/shop/top", { "if-none-match": newerTag });
    expect([other.status, (await bodyOf(other)).rows.length]).toEqual([200, 5]);
  });

  it("looks rows up by keys of every sign", async () => {
    for (const key of ["a/b", "100%", "ü ?#", "%2e", "a:b", "__proto__"]) {
      const { body, status } = await rawGet(server.url, `/v1/shop/rows/${encodeURIComponent(key)}`);
      expect([key, status, body]).toEqual([key, 200, expect.stringContaining(JSON.stringify(key))]);
    }
    expect((await rawGet(server.url, "/v1/shop/rows/..")).body).toContain('".."');
    for (const key of ["events", "..", "", "a/b"]) {
      const found = await (await get(`/v1/shop/rows?key=${encodeURIComponent(key)}`)).json();
      expect(found).toEqual({ i: key, version: 1, filler: "x" });
    }
    expect((await rawGet(server.url, "/v1/shop/pairs/a:b/c")).body).toBe('{"i":1}\n');
    expect(await (await get("/v1/shop/pairs?key=a&key=b:c")).json()).toEqual({ i: 2 });
    const row = await get("/v1/shop/rows/a%2Fb");
    const again = await get("/v1/shop/rows/a%2Fb", { "if-none-match": row.headers.get("etag") ?? "" });
    expect([row.status, again.status]).toEqual([200, 304]);
  });

  it("refuses what it does not have or understand, with a code and what to do", async () => {
    const refused: [string, Record<string, string>, number, string][] = [
      ["/", {}, 404, "PATH_UNKNOWN"],
      ["/v2/shop/top", {}, 404, "PATH_UNKNOWN"],
      ["/healthz/x", {}, 404, "PATH_UNKNOWN"],
      ["/v1/shop/none", {}, 404, "METRIC_UNKNOWN"],
      ["/v1/shop/none/events", {}, 404, "METRIC_UNKNOWN"],
      ["/v1/__proto__/constructor", {}, 404, "METRIC_UNKNOWN"],
      ["/v1/shop%2Ftop/", {}, 404, "PIPELINE_UNKNOWN"],
      ["/v1/shop/../../etc/passwd", {}, 404, "METRIC_UNKNOWN"],
      ["/v1//top", {}, 404, "METRIC_UNKNOWN"],
      ["/v1/shop/top%00", {}, 404, "METRIC_UNKNOWN"],
      ["/v1/shop/%ff", {}, 400, "PATH_INVALID"],
      ["/v1/shop/%", {}, 400, "PATH_INVALID"],
      [`/v1/shop/${"x".repeat(5000)}`, {}, 400, "PATH_INVALID"],
      ["/v1/shop/nothing", {}, 404, "NOT_PUBLISHED"],
      ["/v1/shop/top/1", {}, 400, "NOT_A_LOOKUP"],
      ["/v1/shop/rows/none", {}, 404, "ROW_UNKNOWN"],
      ["/v1/shop/late/1", {}, 503, "NOT_YET_A_LOOKUP"],
      ["/v1/shop/rows/a/b", {}, 400, "KEY_INVALID"],
      ["/v1/shop/pairs/a", {}, 400, "KEY_INVALID"],
      ["/v1/shop/top?format=xml", {}, 400, "FORMAT_UNKNOWN"],
      ["/v1/shop/top?format=", {}, 400, "FORMAT_UNKNOWN"],
      ["/v1/shop/top", { accept: "text/html" }, 406, "NOT_ACCEPTABLE"],
      ["/v1/shop/top", { accept: "*/*;q=0" }, 406, "NOT_ACCEPTABLE"],
      ["/v1/shop/top/events", { accept: "application/json" }, 406, "NOT_ACCEPTABLE"],
      ["/v1/shop/top/events", { "last-event-id": "x y" }, 400, "EVENT_ID_INVALID"],
      ["/v1/", { host: "evil.example" }, 421, "HOST_UNKNOWN"],
    ];
    for (const [path, headers, status, code] of refused) {
      const answer = await rawGet(server.url, path, headers);
      const { error } = JSON.parse(answer.body);
      expect([path, answer.status, error.code]).toEqual([path, status, code]);
      expect(error.next).toMatch(/\w/);
    }
    expect((await rawGet(server.url, `${server.url}/v1/shop/top`)).status).toBe(200);
  });

  it("is for reading only", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const answer = await get("/v1/shop/top", {}, method);
      expect(answer.headers.get("allow")).toBe("GET, HEAD");
      expect(await errorOf(answer)).toEqual([405, "METHOD_NOT_ALLOWED"]);
    }
    expect(
      (await get("/v1/", { origin: "https://a.example" })).headers.get("access-control-allow-origin"),
    ).toBeNull();
  });

  it("gives pages of the origins that are configured what they may read", async () => {
    const open = await serve({
      contract,
      publish: PUBLISH,
      source,
      options: { origins: ["https://a.example"] },
    });
    const from = (origin: string, method = "GET", path = "/v1/shop/top") =>
      fetch(`${open.url}${path}`, { method, headers: { origin, "access-control-request-method": "GET" } });
    const allowed = await from("https://a.example");
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://a.example");
    expect(allowed.headers.get("vary")).toMatch(/Origin/);
    expect(allowed.headers.get("vary")).toMatch(/Accept/);
    await allowed.body?.cancel();
    const asked = await from("https://a.example", "OPTIONS");
    expect([asked.status, asked.headers.get("access-control-allow-methods")]).toEqual([204, "GET,HEAD"]);
    expect(asked.headers.get("access-control-allow-headers")).toMatch(/Last-Event-ID/);
    expect((await from("https://b.example")).headers.get("access-control-allow-origin")).toBeNull();
    const missing = await from("https://a.example", "GET", "/v1/shop/none");
    expect(missing.headers.get("access-control-allow-origin")).toBe("https://a.example");
    expect((await from("https://a.example", "DELETE")).status).toBe(405);
    await open.stop();
  });

  it("tells versions as they come, and from where a client was", async () => {
    await target.publish(publicationOf("shop/top", { version: 10 }));
    const events = `${server.url}/v1/shop/top/events`;
    const first = await readEvents(events);
    expect(first.response.headers.get("content-type")).toBe("text/event-stream");
    expect(await first.next()).toMatchObject({ event: "version", data: { version: 10, rolledBack: false } });
    await target.publish(publicationOf("shop/top", { version: 11 }));
    const last = await first.next();
    expect(last?.data.version).toBe(11);
    await target.rollback("shop/top");
    expect((await first.next())?.data).toMatchObject({ version: 10, rolledBack: true });
    await first.close();

    await target.publish(publicationOf("shop/top", { version: 12 }));
    const resumed = await readEvents(events, last?.id);
    let seen = (await resumed.next())?.data.version;
    // What was missed comes in order; the newest is certain.
    if (seen === 10) seen = (await resumed.next())?.data.version;
    expect(seen).toBe(12);
    await resumed.close();
    // An id of elsewhere is no reason to be told nothing.
    const strange = await readEvents(events, "no-such.id");
    expect((await strange.next())?.data.version).toBe(12);
    await strange.close();
    const head = await fetch(events, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });
}

describe("of files", () =>
  suite(async () => {
    const target = new EmbeddedTarget(new LocalStore(`${folder.path}/${crypto.randomUUID()}`));
    return { target, source: sourceOf(target) };
  }));

describe.skipIf(!redisAvailable)("of Redis", () => {
  const redis = useRedis();
  suite(async () => {
    const target = await RedisTarget.connect(redis.url);
    return { target, source: redisSource(target, { url: redis.url }) };
  });
});
