import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type PromptOptions, runPrompt } from "../../jobs/terminal/prompt.ts";
import type { QueryResult } from "../../jobs/terminal/result.ts";

const one: QueryResult = { columns: [{ name: "n", type: "INTEGER" }], rows: [[1]] };
const tables = [{ name: "silver.orders", rows: 3, columns: [{ name: "order_id", type: "BIGINT" }] }];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ingot-prompt-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A prompt between two streams; `until` waits for output, not for time. */
function start(options: { isTTY: boolean } & Partial<Pick<PromptOptions, "execute" | "listTables">>) {
  const input = Object.assign(new PassThrough(), { isTTY: options.isTTY });
  const output = Object.assign(new PassThrough(), { isTTY: options.isTTY, columns: 80 });
  let shown = "";
  let seen = 0;
  output.on("data", (chunk) => {
    shown += stripVTControlCharacters(String(chunk));
  });
  /** Resolves when the text has come since the last call. */
  function until(text: string): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        const at = shown.indexOf(text, seen);
        if (at === -1) return;
        seen = at + text.length;
        output.off("data", look);
        resolve();
      };
      output.on("data", look);
      look();
    });
  }
  const done = runPrompt({
    input,
    output,
    historyFile: join(folder, "history"),
    execute: options.execute ?? (() => Promise.resolve(one)),
    listTables: options.listTables ?? (() => Promise.resolve(tables)),
  });
  return {
    input,
    done,
    until,
    text: () => shown,
    history: () => readFileSync(join(folder, "history"), "utf8"),
  };
}

describe("piped into", () => {
  test("runs statements over lines, one after the other, and takes the end for the last `;`", async () => {
    const ran: string[] = [];
    const execute = (sql: string) => {
      ran.push(sql);
      return Promise.resolve(one);
    };
    const prompt = start({ isTTY: false, execute });
    prompt.input.end("select 1; select\n  2;\n-- a remark\n.tables\nselect 3");
    await prompt.done;
    expect(ran).toEqual(["select 1", "select\n  2", "select 3"]);
    expect(prompt.text()).toContain("silver.orders");
    expect(prompt.text()).toMatch(/1 row · \d+ ms/);
    expect(prompt.text()).not.toContain("ingot>");
  });

  test("shows a plan as it is drawn, and nothing that a terminal would obey", async () => {
    const plan: QueryResult = {
      columns: [
        { name: "explain_key", type: "VARCHAR" },
        { name: "explain_value", type: "VARCHAR" },
      ],
      rows: [["physical_plan", "┌──┐\n│\u001b[2J│\n└──┘\n"]],
    };
    const prompt = start({ isTTY: false, execute: () => Promise.resolve(plan) });
    prompt.input.end("explain select 1;");
    await prompt.done;
    expect(prompt.text()).toMatch(/^┌──┐\n│.+│\n└──┘\n1 row/);
    expect(prompt.text()).not.toContain("\u001b");
  });

  test("in CSV gives data and nothing else", async () => {
    const prompt = start({ isTTY: false });
    prompt.input.end(".mode csv\nselect 1;\n.mode json\nselect 1;");
    await prompt.done;
    expect(prompt.text()).toBe('n\n1\n[\n{"n":1}\n]\n');
  });

  test("an error does not end it, and shows no password", async () => {
    let calls = 0;
    const execute = () => {
      calls += 1;
      return calls === 1 ? Promise.reject(new Error("no table at redis://:hunter2@h")) : Promise.resolve(one);
    };
    const prompt = start({ isTTY: false, execute });
    prompt.input.end("select x;\nselect 1;\n");
    await prompt.done;
    expect(prompt.text()).toContain("error: no table at redis://:***@h");
    expect(prompt.text()).toContain("1 row");
  });

  test(".quit leaves what follows alone", async () => {
    const prompt = start({ isTTY: false, execute: () => Promise.reject(new Error("ran")) });
    prompt.input.end(".quit\nselect 1;\nselect 2");
    await prompt.done;
    expect(prompt.text()).toBe("");
  });

  test("commands that do not exist, and tables that do not, are said", async () => {
    const prompt = start({ isTTY: false });
    prompt.input.end(".nope\n.schema nope\n.schema orders\n.mode nope\n.mode\n.help\n");
    await prompt.done;
    expect(prompt.text()).toContain("error: no command .nope");
    expect(prompt.text()).toContain("error: no table nope");
    expect(prompt.text()).toContain("│ order_id │ BIGINT │");
    expect(prompt.text()).toContain("error: no mode nope");
    expect(prompt.text()).toContain("mode table; there are table, csv, json, jsonl");
    expect(prompt.text()).toContain("Ctrl-D");
  });

  test("a list of tables that fails is an error shown", async () => {
    const prompt = start({ isTTY: false, listTables: () => Promise.reject(new Error("lake is away")) });
    prompt.input.end(".tables\nselect 1;");
    await prompt.done;
    expect(prompt.text()).toContain("error: lake is away");
    expect(prompt.text()).toContain("1 row");
  });
});

describe("at a terminal", () => {
  test("asks, runs, times, asks again; Ctrl-D leaves", async () => {
    const prompt = start({ isTTY: true });
    await prompt.until("ingot> ");
    prompt.input.write("select\r");
    await prompt.until("...> ");
    prompt.input.write("1;\r");
    await prompt.until("1 row · ");
    await prompt.until("ingot> ");
    prompt.input.write("\u0004");
    await prompt.done;
  });

  test("keeps a statement of several lines as one entry, which the next prompt offers", async () => {
    const ran: string[] = [];
    const execute = (sql: string) => {
      ran.push(sql);
      return Promise.resolve(one);
    };
    const first = start({ isTTY: true, execute });
    await first.until("ingot> ");
    first.input.write("select\r1;\r");
    await first.until("1 row");
    await first.until("ingot> ");
    first.input.write("\u0004");
    await first.done;
    expect(first.history()).toBe("select 1;\n");

    const second = start({ isTTY: true, execute });
    await second.until("ingot> ");
    second.input.write("\u001b[A\r");
    await second.until("1 row");
    second.input.write("\u0004");
    await second.done;
    expect(ran).toEqual(["select\n1", "select 1"]);
  });

  test("Ctrl-C clears the statement", async () => {
    const ran: string[] = [];
    const execute = (sql: string) => {
      ran.push(sql);
      return Promise.resolve(one);
    };
    const prompt = start({ isTTY: true, execute });
    await prompt.until("ingot> ");
    prompt.input.write("select nonsense\r");
    await prompt.until("...> ");
    prompt.input.write("more nonsense\u0003");
    await prompt.until("^C");
    await prompt.until("ingot> ");
    prompt.input.write("select 2;\r");
    await prompt.until("1 row");
    prompt.input.write(".quit\r");
    await prompt.done;
    expect(ran).toEqual(["select 2"]);
  });

  test("Ctrl-C stops the running statement and forgets those that wait", async () => {
    const ran: string[] = [];
    let started = () => {};
    const running = new Promise<void>((resolve) => {
      started = resolve;
    });
    const execute = (sql: string, signal: AbortSignal) => {
      ran.push(sql);
      started();
      return new Promise<QueryResult>((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("interrupted")));
      });
    };
    const prompt = start({ isTTY: true, execute });
    await prompt.until("ingot> ");
    prompt.input.write("select slow; select after;\rselect later;\r");
    await running;
    prompt.input.write("\u0003");
    await prompt.until("stopped");
    await prompt.until("ingot> ");
    prompt.input.write("\u0004");
    await prompt.done;
    expect(ran).toEqual(["select slow"]);
  });

  test("TAB completes", async () => {
    const ran: string[] = [];
    const execute = (sql: string) => {
      ran.push(sql);
      return Promise.resolve(one);
    };
    const prompt = start({ isTTY: true, execute });
    await prompt.until("ingot> ");
    prompt.input.write("from silver.o\t");
    await prompt.until("rders");
    prompt.input.write(";\r");
    await prompt.until("1 row");
    prompt.input.write("\u0004");
    await prompt.done;
    expect(ran).toEqual(["from silver.orders"]);
  });

  test("stops a statement when its time is up, and goes on", async () => {
    const ran: string[] = [];
    const execute = (sql: string, signal: AbortSignal) => {
      ran.push(sql);
      if (sql !== "select slow") return Promise.resolve(one);
      return new Promise<QueryResult>((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error(`too long: ${signal.reason.name}`)));
      });
    };
    const prompt = start({ isTTY: true, execute });
    await prompt.until("ingot> ");
    prompt.input.write(".timeout soon\r.timeout\r.timeout 5ms\r.timeout\rselect slow;\r");
    await prompt.until("error: no time soon");
    await prompt.until("timeout off");
    await prompt.until("timeout 5 ms");
    await prompt.until("error: too long: TimeoutError");
    prompt.input.write(".timeout off\r.timeout\rselect 1;\r");
    await prompt.until("timeout off");
    await prompt.until("1 row");
    prompt.input.write("\u0004");
    await prompt.done;
    expect(ran).toEqual(["select slow", "select 1"]);
  });

  test("Ctrl-D while a statement runs waits for it", async () => {
    let finish = (_: QueryResult) => {};
    let started = () => {};
    const running = new Promise<void>((resolve) => {
      started = resolve;
    });
    const execute = () => {
      started();
      return new Promise<QueryResult>((resolve) => {
        finish = resolve;
      });
    };
    const prompt = start({ isTTY: true, execute });
    await prompt.until("ingot> ");
    prompt.input.write("select 1;\r");
    await running;
    prompt.input.write("\u0004");
    finish(one);
    await prompt.done;
    expect(prompt.text()).toContain("1 row");
  });
});
