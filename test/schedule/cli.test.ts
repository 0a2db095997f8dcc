/** `ingot start` and `ingot schedule`, as people and service managers use them. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import { Leases } from "../../lakehouse/lease/leases.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { ingotCli } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";

const folder = useFolder();
const BIN = new URL("../../bin/ingot.cjs", import.meta.url).pathname;

/** A project whose schedules are programs: they need no database. */
async function project(schedules: string): Promise<string> {
  const path = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(path);
  await writeFile(
    `${path}/ingot.config.ts`,
    `import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { defineConfig, postgres } from "ingot";
const note = (text: string) => appendFileSync(new URL("notes", import.meta.url), text + "\\n");
export default defineConfig({
  pipelines: [{ name: "mine", source: postgres({ tables: {} }), schedules: ${schedules} }],
});
`,
  );
  return path;
}

const notes = (path: string) => readFile(`${path}/notes`, "utf8").catch(() => "");

/** A process of `ingot start`, and the lines that it logs. */
class Started {
  readonly events: Record<string, unknown>[] = [];
  readonly ended: Promise<NodeJS.Signals | number | null>;
  private readonly child: ChildProcess;
  private look: () => void = () => {};

  constructor(path: string, ...args: string[]) {
    const { DATABASE_URL: _d, INGOT_LAKE: _l, ...environment } = process.env;
    this.child = spawn(process.execPath, [BIN, "start", ...args], {
      cwd: path,
      env: environment,
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.ended = new Promise((resolve) => this.child.on("close", (code, signal) => resolve(signal ?? code)));
    if (this.child.stdout === null) throw new Error("no output");
    createInterface(this.child.stdout).on("line", (line) => {
      this.events.push(JSON.parse(line));
      this.look();
    });
  }

  /** Resolves once it has logged this so often. */
  async logged(message: string, times = 1): Promise<void> {
    await new Promise<void>((resolve) => {
      this.look = () => {
        if (this.events.filter(({ msg }) => msg === message).length >= times) resolve();
      };
      this.look();
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

it("runs what is due, logs it as JSON, and gives its leases back when told to stop", async () => {
  const path = await project(`{
    quick: { cron: "* * * * * *", run: async ({ job, attempt, epoch }) => note(job + " " + attempt + " " + epoch) },
    broken: { cron: "* * * * * *", retries: 0, run: async () => { throw new Error("postgres://u:s3cret@h/d is away"); } },
  }`);
  const started = new Started(path);
  await started.logged("run ended", 4);
  started.signal("SIGTERM");
  expect(await started.ended).toBe("SIGTERM");
  const messages = started.events.map(({ msg }) => msg);
  expect(messages[0]).toBe("started");
  expect(messages.at(-1)).toBe("stopped");
  expect(started.events).toContainEqual(
    expect.objectContaining({
      level: "info",
      job: "mine.quick",
      msg: "run ended",
      status: "succeeded",
      runId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      owner: expect.stringMatching(/:\d+$/),
    }),
  );
  expect(started.events).toContainEqual(
    expect.objectContaining({ level: "error", job: "mine.broken", status: "failed" }),
  );
  expect(JSON.stringify(started.events)).not.toContain("s3cret");
  expect(await notes(path)).toMatch(/^mine\.quick 1 1\n/);
  const leases = new Leases(new LocalStore(`${path}/lake`), { owner: "test" });
  expect(await leases.holding("mine.quick")).toBeUndefined();
  expect(await leases.tryTake("mine.quick")).toBeDefined();
});

it("a run that is under way ends, and is not begun again, when it stops in time; others go on with what it left", async () => {
  const path = await project(`{
    long: { cron: "* * * * * *", run: async ({ signal, due }) => {
      note("begin");
      await delay(60_000, undefined, { signal }).catch(() => note("told to end"));
      signal.throwIfAborted();
    } },
  }`);
  const first = new Started(path);
  await first.logged("run started");
  first.signal("SIGINT");
  expect(await first.ended).toBe("SIGINT");
  expect(await notes(path)).toBe("begin\ntold to end\n");
  expect(first.events.map(({ msg }) => msg).slice(-3)).toEqual(["stopping", "run left", "stopped"]);
  const second = new Started(path);
  await second.logged("run started");
  expect(second.events.find(({ msg }) => msg === "run started")).toMatchObject({ deaths: 0 });
  second.signal("SIGTERM");
  expect(await second.ended).toBe("SIGTERM");
});

it("a second signal ends at once, whatever is under way", async () => {
  const path = await project(`{ deaf: { cron: "* * * * * *", run: async () => delay(600_000) } }`);
  const started = new Started(path);
  await started.logged("run started");
  started.signal("SIGTERM");
  await started.logged("stopping");
  started.signal("SIGTERM");
  expect(await started.ended).toBe("SIGKILL");
});

it("schedules are listed, paused, resumed and run", async () => {
  const path = await project(`{
    nightly: { cron: "30 2 * * *", timeZone: "Europe/Berlin", run: async ({ lake }) => note("nightly " + (await lake.tables()).length) },
    report: { after: ["nightly"], run: async () => { throw new Error("no paper"); }, retries: 5 },
  }`);
  const ls = async () => JSON.parse((await ingotCli(path, ["schedule", "ls", "--json"])).stdout).schedules;
  expect(await ls()).toMatchObject([
    { schedule: "mine.nightly", when: "30 2 * * * Europe/Berlin", last: null, paused: null, holder: null },
    { schedule: "mine.report", when: "after nightly", nextDue: null },
  ]);
  expect(await ingotCli(path, ["schedule", "pause", "nightly"])).toMatchObject({
    code: 0,
    stdout: "mine.nightly is paused\n",
  });
  expect((await ls())[0].paused.by).toMatch(/./);
  expect(await ingotCli(path, ["schedule", "resume", "mine.nightly"])).toMatchObject({ code: 0 });
  expect((await ls())[0].paused).toBeNull();
  expect(await ingotCli(path, ["schedule", "run", "nightly"])).toMatchObject({
    code: 0,
    stdout: "mine.nightly: succeeded\n",
  });
  expect(await notes(path)).toBe("nightly 0\n");
  expect((await ls())[0].lastExtra).toMatchObject({ status: "succeeded", attempts: 1 });
  const failed = await ingotCli(path, ["schedule", "run", "report"]);
  expect(failed).toMatchObject({ code: 1, stdout: "" });
  expect(failed.stderr).toContain("error: no paper");
  expect((await ls())[1].lastExtra).toMatchObject({ status: "failed", attempts: 1 });
  const table = await ingotCli(path, ["schedule", "ls"]);
  expect(table.stdout).toMatch(
    /mine\.nightly.*30 2 \* \* \* Europe\/Berlin.*in .*succeeded .* asked for.*waits/,
  );
});

it.each([
  ["an unknown schedule", ["schedule", "run", "weekly"], "there is no schedule weekly", "mine.nightly"],
  ["a wrong lease", ["start", "--lease", "0"], "1 to 3600 seconds"],
])("%s", async (_name, args, ...parts) => {
  const path = await project(`{ nightly: { cron: "30 2 * * *" } }`);
  const { stderr, code } = await ingotCli(path, args);
  for (const part of parts) expect(stderr).toContain(part);
  expect(code).not.toBe(0);
});

it.each([
  ["no schedule at all", "{}", ["start"], "no pipeline has a schedule", "schedules:"],
  [
    "no such time",
    `{ a: { cron: "61 * * * *" } }`,
    ["schedule", "ls"],
    '"schedules.a.cron" of pipeline',
    "61",
  ],
  ["a day that never comes", `{ a: { cron: "0 0 30 2 *" } }`, ["start"], "schedules.a.cron"],
  [
    "no such zone",
    `{ a: { cron: "0 0 * * *", timeZone: "Mars" } }`,
    ["start"],
    "schedules.a.timeZone",
    "Mars",
  ],
  ["nothing that says when", "{ a: {} }", ["start"], "cron, after or follow"],
  ["a circle", `{ a: { after: ["b"] }, b: { after: ["a"] } }`, ["start"], "waits for a"],
  ["after nothing", `{ a: { after: ["b"] } }`, ["start"], "b is none"],
  ["a stream that is none", "{ a: { follow: true } }", ["start"], 'changes: "wal"'],
])("%s is refused", async (_name, schedules, args, ...parts) => {
  const { stderr, code } = await ingotCli(await project(schedules), args);
  for (const part of parts) expect(stderr).toContain(part);
  expect(code).toBe(1);
});
