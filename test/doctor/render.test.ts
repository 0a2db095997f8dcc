import { expect, it } from "vitest";
import { failed, ok, skipped, warning } from "../../jobs/doctor/check.ts";
import { renderCheck, renderSummary } from "../../jobs/doctor/render.ts";
import { styleFor } from "../../jobs/terminal/style.ts";

const plain = styleFor(false);

it("marks, columns, and fixes of several lines below what was found", () => {
  const lines = [
    ok("DuckDB", "v1"),
    warning("wal_level", "replica", "ALTER SYSTEM …;\nOn RDS: …"),
    failed("lake", "cannot write", "Check its owner."),
    skipped("Redis", "none"),
  ].map((result) => renderCheck(result, plain));
  expect(lines.join("")).toBe(
    [
      "✔ DuckDB                     v1",
      "! wal_level                  replica",
      "                             fix ALTER SYSTEM …;",
      "                                 On RDS: …",
      "✖ lake                       cannot write",
      "                             fix Check its owner.",
      "– Redis                      none",
      "",
    ].join("\n"),
  );
});

it("what a server says cannot move the cursor", () => {
  const text = renderCheck(ok("table public.\u001b[2J", "\u001b]0;title\u0007"), plain);
  expect(text).not.toContain("\u001b");
});

it("a long name keeps what was found in its column", () => {
  const [first, second] = renderCheck(ok(`table public.${"x".repeat(40)}`, "3 columns"), plain).split("\n");
  expect(first).not.toContain("3 columns");
  expect(second).toBe(`${" ".repeat(29)}3 columns`);
});

it("the summary counts", () => {
  expect(renderSummary([ok("a", ""), skipped("b", "")], plain)).toBe("\nReady\n");
  expect(renderSummary([warning("a", "", "")], plain)).toBe("\nReady, with 1 warning\n");
  expect(renderSummary([failed("a", "", ""), warning("b", "", "")], plain)).toBe("\n1 failed, 1 warning\n");
});
