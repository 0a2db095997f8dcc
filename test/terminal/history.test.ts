import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HISTORY_SIZE, History } from "../../jobs/terminal/history.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ingot-history-"));
  file = join(folder, "deep", "history");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("history", () => {
  test("survives, newest first, without repeats, for its owner only", () => {
    const first = History.open(file);
    for (const entry of ["select 1;", "select 2;", "select 2;", "  ", "two\nlines"]) first.add(entry);
    expect(History.open(file).newestFirst()).toEqual(["select 2;", "select 1;"]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("a file that others could read is closed to them", () => {
    const open = join(folder, "open");
    writeFileSync(open, "select 1;\n", { mode: 0o644 });
    History.open(open);
    expect(statSync(open).mode & 0o777).toBe(0o600);
  });

  test("is bounded", () => {
    const history = History.open(file);
    for (let n = 0; n < HISTORY_SIZE + 50; n += 1) history.add(`select ${n};`);
    history.trim();
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines).toHaveLength(HISTORY_SIZE);
    expect(lines.at(-1)).toBe(`select ${HISTORY_SIZE + 49};`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("prompts side by side lose nothing", () => {
    const [one, other] = [History.open(file), History.open(file)];
    one.add("from one");
    other.add("from the other");
    one.trim();
    expect(one.newestFirst()).toEqual(["from the other", "from one"]);
  });

  test("a place that cannot be written costs only the history", () => {
    writeFileSync(join(folder, "file"), "");
    const history = History.open(join(folder, "file", "history"));
    history.add("select 1;");
    expect(history.newestFirst()).toEqual(["select 1;"]);
  });
});
