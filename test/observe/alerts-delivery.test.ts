/** One post to a real receiver, and what its answer says of another. */
import { expect, it } from "vitest";
import { postWebhook } from "../../layers/publish/webhook-post.ts";
import { useReceiver } from "./receiver.ts";

const receiver = useReceiver();
const post = (url: string) =>
  postWebhook({ url, name: "the receiver" }, { body: "{}", headers: {}, patience: 5_000 });

it.each([
  ["me:100%", "me:100%"],
  ["me:100%%40", "me:100%@"],
  ["me:%C3%A9", "me:é"],
  ["me:%FF", "me:%FF"],
  ["%", "%:"],
])("name and password %s of an address go into a header", async (written, meant) => {
  expect(await post(receiver.url.replace("//", `//${written}@`))).toMatchObject({ failure: undefined });
  const authorization = `Basic ${Buffer.from(meant).toString("base64")}`;
  expect(receiver.received[0]?.headers).toMatchObject({ authorization });
});

it("a password is not told where nobody answers", async () => {
  const answer = await post("http://me:hunter2%@127.0.0.1:1/");
  expect(answer).toMatchObject({ status: undefined, failure: expect.any(String), passing: true });
  expect(JSON.stringify(answer)).not.toContain("hunter2");
});

it.each([
  ["7", 7_000],
  ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
  ["-3", 0],
  ["soon", 0],
])("Retry-After of %s", async (header, wait) => {
  receiver.answer((response) => response.writeHead(503, { "retry-after": header }).end());
  expect(await post(receiver.url)).toMatchObject({ wait, passing: true });
});

it("Retry-After may be a date", async () => {
  const later = new Date(Date.now() + 3_600_000).toUTCString();
  receiver.answer((response) => response.writeHead(503, { "retry-after": later }).end());
  const { wait } = await post(receiver.url);
  expect(wait).toBeGreaterThan(0);
  expect(wait).toBeLessThanOrEqual(3_600_000);
});
