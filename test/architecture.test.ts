import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "..");
/** Imports point left only. */
const ORDER = ["schemas", "lakehouse", "layers", "pipelines", "jobs", "web"];
const LIBRARY = new Set(ORDER);

interface SourceFile {
  readonly path: string;
  readonly imports: readonly string[];
}

function filesBelow(folder: string): string[] {
  // A folder of the plan that holds nothing yet is not in a clone.
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name));
}

const files: SourceFile[] = [...ORDER, "scripts", "test"].flatMap(filesBelow).map((path) => {
  const text = readFileSync(join(ROOT, path), "utf8");
  const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] ?? "");
  return { path, imports };
});
const production = files.filter(
  (file) => LIBRARY.has(file.path.split("/")[0] ?? "") && !file.path.endsWith(".test.ts"),
);

/** Files that a file imports by a relative path. */
const neighbours = (file: SourceFile) =>
  file.imports
    .filter((name) => name.startsWith("."))
    .map((name) => relative(ROOT, resolve(ROOT, dirname(file.path), name)));

it("imports point left only", () => {
  const wrong = production.flatMap((file) => {
    const rank = ORDER.indexOf(file.path.split("/")[0] ?? "");
    return neighbours(file)
      .filter((target) => {
        const other = ORDER.indexOf(target.split("/")[0] ?? "");
        return other > rank || other < 0;
      })
      .map((target) => `${file.path} → ${target}`);
  });
  expect(wrong).toEqual([]);
});

it("no file imports itself through others", () => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const state = new Map<string, "visiting" | "done">();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "visiting") {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      return;
    }
    state.set(path, "visiting");
    const file = byPath.get(path);
    for (const next of file ? neighbours(file) : []) visit(next, [...trail, path]);
    state.set(path, "done");
  };
  for (const { path } of files) visit(path, []);
  expect(cycles).toEqual([]);
});

it("inner files do not import the public index of their folder", () => {
  const wrong = production.flatMap((file) =>
    neighbours(file)
      .filter(
        (target) => /^[a-z]+\/index\.ts$/.test(target) && target.split("/")[0] === file.path.split("/")[0],
      )
      .map((target) => `${file.path} → ${target}`),
  );
  expect(wrong).toEqual([]);
});

const only = (pattern: RegExp, folder: string) =>
  production
    .filter((file) => file.imports.some((name) => pattern.test(name)) && !file.path.startsWith(folder))
    .map((file) => file.path);

it("libraries are imported where they belong", () => {
  expect(only(/^@duckdb\//, "lakehouse/duckdb/")).toEqual([]);
  expect(only(/^ioredis$/, "layers/publish/").filter((path) => !path.startsWith("jobs/"))).toEqual([]);
  expect(
    production.filter((f) => f.path.startsWith("schemas/") && f.imports.some((n) => n.startsWith("node:"))),
  ).toEqual([]);
  expect(
    production.filter(
      (f) => f.path.startsWith("lakehouse/") && f.imports.some((n) => /^(pg|ioredis)/.test(n)),
    ),
  ).toEqual([]);
});
