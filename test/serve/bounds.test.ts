/** What a server does not let its clients do: hold more than it can give, and read slower than it can wait. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, expect, it } from "vitest";
import { BOUNDS, type Bounds } from "../../jobs/serve/bounds.ts";
import { EventStreams } from "../../jobs/serve/event-streams.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { sourceOf } from "../../layers/publish/client-source.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { defineTable, integer, text } from "../../schemas/index.ts";
import { publicationOf, rowsOf } from "../publish/publications.ts";
import { readEvents } from "./events.ts";
import { serve } from "./served.ts";

const target = new EmbeddedTarget(new MemoryStore());
const contract = defineTable({
  name: "top",
  description: "top",
  columns: { i: integer(), version: integer(), filler: text() },
});
const start = (bounds: Partial<Bounds>) =>
  serve({
    contract,
    publish: [{ model: "top", title: "Top" }],
    source: sourceOf(target),
    options: { bounds },
  });
const put = (version: number, count = 10) =>
  target.publish(publicationOf("shop/top", { version, rows: rowsOf(version, count) }));

const sockets: Socket[] = [];
afterAll(() => {
  for (const socket of sockets) socket.destroy();
});
/** A client that asks, and reads no more than the beginning of the answer. */
async function askAndWait(url: string, path: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  socket.on("error", () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await once(socket, "data");
  socket.pause();
  return socket;
}
const codeOf = async (response: Response) =>
  ((await response.json()) as { error: { code: string } }).error.code;

it("opens so many streams of events, and more when one is closed", async () => {
  await put(1);
  const server = await start({ streams: 2 });
  const url = `${server.url}/v1/shop/top/events`;
  const readers = [await readEvents(url), await readEvents(url)];
  const refused = await fetch(url);
  expect([refused.status, refused.headers.get("retry-after"), await codeOf(refused)]).toEqual([
    503,
    "1",
    "TOO_BUSY",
  ]);
  // What is no stream takes no place.
  expect((await fetch(`${server.url}/v1/shop/top`)).status).toBe(200);
  await readers[0]?.close();
  await expect.poll(async () => (await fetch(url, { method: "GET" }).then(leave)).status).toBe(200);
  await readers[1]?.close();
  await server.stop();
});

async function leave(response: Response): Promise<Response> {
  await response.body?.cancel();
  return response;
}

it("holds so many answers in memory, and frees those whose clients have left", async () => {
  await put(2, 200_000);
  const server = await start({ answers: 1 });
  const url = `${server.url}/v1/shop/top`;
  const waiting = await askAndWait(server.url, "/v1/shop/top");
  expect((await fetch(url).then(leave)).status).toBe(503);
  waiting.destroy();
  await expect.poll(async () => (await fetch(url).then(leave)).status, { timeout: 60_000 }).toBe(200);
  await server.stop();
});

it("gives a large set whole, part by part", async () => {
  await put(3, 50_000);
  const server = await start({});
  const answer = await fetch(`${server.url}/v1/shop/top`);
  expect(answer.headers.get("content-length")).toBeNull();
  expect(((await answer.json()) as { rows: unknown[] }).rows).toEqual(rowsOf(3, 50_000));
  await server.stop();
});

it.each([
  ["takes nothing of its answer", { idle: 300 }],
  ["takes too long for it", { idle: 0, longest: 300 }],
])("drops a client that %s", async (_what, bounds) => {
  await put(4, 200_000);
  const server = await start({ ...bounds, answers: 1 });
  await askAndWait(server.url, "/v1/shop/top");
  const url = `${server.url}/v1/shop/top`;
  // Its place is free again: there is no other.
  await expect.poll(async () => (await fetch(url).then(leave)).status, { timeout: 60_000 }).toBe(200);
  await server.stop();
});

it("drops a reader of events that is too far behind, and frees its place", async () => {
  await put(5);
  const streams = new EventStreams({ ...BOUNDS, behind: 600, streams: 1 });
  const declared = { model: "top", title: "Top" };
  const served = { set: "shop/top", declared, contract, source: sourceOf(target) };
  let isSevered = false;
  const body = streams.start(served, undefined, () => {
    isSevered = true;
  });
  expect(() => streams.start(served, undefined, () => {})).toThrow(/more streams/);
  let version = 100;
  const behind = async () => {
    if (!isSevered) await put(++version);
    return isSevered;
  };
  await expect.poll(behind, { timeout: 60_000 }).toBe(true);
  await expect(body.getReader().read()).rejects.toThrow("does not read");
  await streams.start(served, undefined, () => {}).cancel();
  streams.close();
});

it("sends heartbeats, and ends streams when it stops", async () => {
  await put(206);
  const server = await start({ heartbeat: 5 });
  const reader = await readEvents(`${server.url}/v1/shop/top/events`);
  expect((await reader.next())?.data.version).toBe(206);
  const ended = reader.next();
  await expect.poll(() => reader.others.filter((block) => block === ":").length).toBeGreaterThan(1);
  expect(reader.others[0]).toMatch(/^retry: \d+$/);
  await server.stop();
  expect(await ended).toBeUndefined();
  await expect(fetch(server.url)).rejects.toThrow();
});

it("lets an answer that is under way end when it stops", async () => {
  await put(207, 100_000);
  const server = await start({});
  const answer = await fetch(`${server.url}/v1/shop/top`);
  const stopped = server.stop();
  expect(((await answer.json()) as { rows: unknown[] }).rows).toHaveLength(100_000);
  await stopped;
});

it("says so where the port is taken", async () => {
  const server = await start({});
  const port = Number(new URL(server.url).port);
  const again = serve({ contract, publish: [], source: sourceOf(target), options: { port } });
  await expect(again).rejects.toMatchObject({ code: "SERVE_ADDRESS" });
  await server.stop();
});
