import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { formatError, printError } from "../../jobs/terminal/print-error.ts";
import { printableLines } from "../../jobs/terminal/text.ts";
import { TerminalError, TransientError } from "../../lakehouse/errors.ts";

const quiet = { color: false, debug: false };
const url = "postgres://app:hunter2@db/shop";

describe("an error", () => {
  test("of ours says what, which value, what is allowed and what next", () => {
    const error = new TerminalError("no such table", {
      code: "NO_TABLE",
      value: "ordrs",
      allowed: "orders, customers",
      next: "check the name\nor run `ingot sync`",
    });
    expect(formatError(error, quiet)).toBe(
      [
        "error: no such table",
        "  value   ordrs",
        "  allowed orders, customers",
        "  next    check the name",
        "          or run `ingot sync`",
      ].join("\n"),
    );
  });

  test("shows no password, in no part and no format", () => {
    const cause = new Error(`inner ${url}`);
    const value = { url, nested: [{ password: "hunter2" }], size: 3n };
    const error = new TransientError(`cannot reach ${url}`, {
      code: "AWAY",
      value,
      next: `try ${url}`,
      cause,
    });
    for (const json of [true, false]) {
      const text = formatError(error, { color: false, debug: true, json });
      expect(text).not.toContain("hunter2");
      expect(text).toContain("caused by: Error: inner postgres://app:***@db/shop");
    }
  });

  test("is one JSON object on one line", () => {
    const error = new TransientError('cannot "reach" it', { code: "AWAY", value: { port: 5432n } });
    const text = formatError(error, { ...quiet, json: true });
    expect(text).not.toContain("\n");
    expect(JSON.parse(text)).toEqual({
      error: 'cannot "reach" it',
      code: "AWAY",
      transient: true,
      value: { port: 5432 },
    });
  });

  test("of another kind shows its message; the stack only for debugging", () => {
    const error = new Error("boom");
    expect(formatError(error, quiet)).toBe("error: boom");
    expect(formatError(error, { color: false, debug: true })).toContain("print-error.test.ts");
    expect(formatError("just text", quiet)).toBe("error: just text");
    expect(formatError(undefined, quiet)).toBe("error: undefined");
  });

  test("without message shows the errors within, or its code", () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:5432"), { code: "ECONNREFUSED" });
    expect(formatError(new AggregateError([refused]), quiet)).toBe(
      "error: connect ECONNREFUSED 127.0.0.1:5432",
    );
    expect(formatError(Object.assign(new Error(), { code: "EPIPE" }), quiet)).toBe("error: EPIPE");
  });

  test("cannot steer the terminal; a value that holds itself ends", () => {
    const value: Record<string, unknown> = {};
    value.self = value;
    const text = formatError(new TerminalError("a\u001b]0;title\u0007", { code: "X", value }), quiet);
    expect(text).toBe(printableLines(text));
    expect(text).toContain("…");
  });

  test("goes to the given stream with a line break", () => {
    const stream = new PassThrough();
    printError(new Error("boom"), { stream, debug: false });
    expect(String(stream.read())).toBe("error: boom\n");
  });
});
