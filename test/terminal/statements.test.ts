import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { onOneLine, splitStatements } from "../../jobs/terminal/statements.ts";

describe("statements", () => {
  test.each([
    ["select 1;", ["select 1"], ""],
    ["select 1; select 2; sel", ["select 1", "select 2"], " sel"],
    ["select ';' as \"a;b\"; x", ["select ';' as \"a;b\""], " x"],
    ["select 'it''s;';", ["select 'it''s;'"], ""],
    ["select E'\\';';", ["select E'\\';'"], ""],
    ["select $$a;b$$, $t$;$$;$t$;", ["select $$a;b$$, $t$;$$;$t$"], ""],
    ["select 1 -- a;b\n;", ["select 1 -- a;b"], ""],
    ["/* a; /* b; */ c; */ select 1;", ["/* a; /* b; */ c; */ select 1"], ""],
    ["select 4 / 2 - 1;", ["select 4 / 2 - 1"], ""],
    [";; -- nothing\n;", [], ""],
    ["-- only a comment", [], ""],
    ["/* begun", [], "/* begun"],
    ["select 'begun;", [], "select 'begun;"],
  ])("%s", (sql, statements, rest) => expect(splitStatements(sql)).toEqual({ statements, rest }));

  test("any text is scanned to its end", () => {
    const piece = fc.constantFrom(
      "'",
      '"',
      "$",
      "$$",
      "$a$",
      "--",
      "/*",
      "*/",
      ";",
      "\n",
      "e",
      "E'",
      "\\",
      "x",
      " ",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const { rest } = splitStatements(pieces.join(""));
        expect(pieces.join("").endsWith(rest)).toBe(true);
      }),
    );
  });

  test("on one line, without changing what it says", () => {
    expect(onOneLine("select 1, -- one\n  2\n  ;")).toBe("select 1, /* one */ 2 ;");
    expect(onOneLine("select 'a\nb';")).toBeUndefined();
    expect(onOneLine('select "a";')).toBe('select "a";');
  });
});
