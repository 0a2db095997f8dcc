/** Alerts of real processes: of `ingot start`, of two of them, and by hand. */
import { mkdir, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { expect, it } from "vitest";
import { ingotCli } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";
import { type Received, useReceiver } from "./receiver.ts";
import { writeShop } from "./shop-project.ts";
import { Started } from "./started.ts";

const folder = useFolder();
const receiver = useReceiver();

async function newFolder(): Promise<string> {
  const path = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(path);
  return path;
}

const alerts = (received: readonly Received[]) => received.map(({ body }) => JSON.parse(body));
/** Alerts of this kind, each once however often it was tried. */
const told = (received: readonly Received[], alert: string) => [
  ...new Map(
    received
      .map(({ headers, body }) => [headers["idempotency-key"], JSON.parse(body)] as const)
      .filter(([, message]) => message.alert === alert),
  ).values(),
];

it("two processes tell of one failure once, while runs go on, and of its end", async () => {
  const path = await newFolder();
  await writeFile(
    `${path}/ingot.config.ts`,
    `import { existsSync } from "node:fs";
import { defineConfig, postgres } from "ingot";
export default defineConfig({
  pipelines: [{ name: "mine", source: postgres({ tables: {} }), schedules: {
    shaky: { cron: "* * * * * *", retries: 0, run: async () => {
      if (!existsSync(new URL("mended", import.meta.url))) throw new Error("postgres://u:s3cret@h/d is away");
    } },
  } }],
});
`,
  );
  const environment = {
    INGOT_ALERTS_URL: `${receiver.url}/hook/s3cret`,
    INGOT_ALERTS_SECRET: "0123456789abcdef",
  };
  const held: ServerResponse[] = [];
  receiver.answer((response) => void held.push(response));
  const processes = [
    new Started(path, ["--lease", "2"], environment),
    new Started(path, ["--lease", "2"], environment),
  ];
  await receiver.until(([first]) => first);
  // A receiver that does not answer holds up nothing.
  const last = Math.max(
    ...processes.flatMap(({ lines }) => lines.map(({ due }) => Date.parse(String(due)) || 0)),
  );
  await Promise.race(
    processes.map((process) =>
      process.logged("run ended", ({ due }) => Date.parse(String(due)) >= last + 3_000),
    ),
  );
  receiver.answer((response) => response.writeHead(200).end("ok"));
  for (const response of held) response.destroy();
  const line = await Promise.race(processes.map((process) => process.logged("alert")));
  expect(line).toMatchObject({ level: "info", pipeline: "mine", alert: "failure", state: "firing" });
  await writeFile(`${path}/mended`, "");
  await receiver.until((got) => got.find(({ body }) => JSON.parse(body).state === "resolved"));
  for (const process of processes) expect(await process.signal("SIGTERM")).toBe("SIGTERM");
  const [first, second, ...others] = told(receiver.received, "failure");
  expect(others).toEqual([]);
  expect(first).toMatchObject({ state: "firing", subject: "mine.shaky", runId: expect.any(String) });
  expect(second).toMatchObject({ state: "resolved", id: first.id });
  // The id of the run is that of its log lines.
  const lines = processes.flatMap((process) => process.lines);
  expect(lines).toContainEqual(
    expect.objectContaining({ msg: "run ended", status: "failed", runId: first.runId }),
  );
  const text = JSON.stringify([
    lines,
    processes.map(({ complaints }) => complaints),
    alerts(receiver.received),
  ]);
  expect(text).not.toContain("s3cret");
});

it("a test alert says what the receiver answers", async () => {
  const path = await newFolder();
  await writeShop(path, { settings: `alerts: { url: "${receiver.url}/hook/s3cret" },` });
  receiver.answer((response) => response.writeHead(200).end("ok"));
  const name = receiver.url.replace("http://", "the webhook at ");
  expect(await ingotCli(path, ["alerts", "--test"])).toMatchObject({
    code: 0,
    stdout: `${name} took it, status 200: ok\n`,
  });
  expect(alerts(receiver.received)).toMatchObject([{ alert: "test", text: expect.any(String) }]);
  receiver.answer((response) => response.writeHead(400).end("invalid_payload\u001b[31m"));
  const refused = await ingotCli(path, ["alerts", "--test"]);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toContain(`${name} does not take alerts`);
  expect(refused.stderr).toContain("status 400: invalid_payload");
  expect(refused.stderr).not.toContain("s3cret");
  expect(refused.stderr).not.toContain("\u001b");
});

it.each([
  ["no receiver", "", ["alerts", "--test"], "no webhook is configured"],
  ["a receiver that is none", `alerts: { url: "mailto:s3cret" },`, ["alerts"], '"alerts.url"'],
  ["a key that nobody knows", `alerts: { url: "http://x/", sekret: "s3cret" },`, ["alerts"], "alerts.sekret"],
  ["a kind that is none", `alerts: { url: "http://x/", on: ["bad"] },`, ["alerts"], "staleness"],
])("%s is refused, without what may be secret", async (_name, settings, args, part) => {
  const path = await newFolder();
  await writeShop(path, { settings });
  const { code, stderr } = await ingotCli(path, args);
  expect(code).toBe(1);
  expect(stderr).toContain(part);
  expect(stderr).not.toContain("s3cret");
});
