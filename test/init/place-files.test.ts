import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { placeFiles } from "../../jobs/init/place-files.ts";
import { useFolder } from "../support/folder.ts";

const folder = useFolder();
const files = new Map([
  ["a.ts", "new a"],
  ["sub/deep/b.ts", "new b"],
  ["sub/c.ts", "new c"],
]);

const fresh = async () => {
  const path = join(folder.path, crypto.randomUUID());
  await mkdir(path);
  return path;
};
const filesIn = async (path: string) =>
  (await readdir(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort();

it("writes all files, and into a folder that is not there yet", async () => {
  const path = join(await fresh(), "new", "folder");
  await placeFiles(path, files, false);
  expect(await filesIn(path)).toEqual(["a.ts", "sub/c.ts", "sub/deep/b.ts"]);
  expect(await readdir(path)).toEqual(["a.ts", "sub"]);
  expect(await readFile(join(path, "sub/deep/b.ts"), "utf8")).toBe("new b");
});

it("overwrites nothing, and names what is there; with force it replaces", async () => {
  const path = await fresh();
  await mkdir(join(path, "sub"));
  await writeFile(join(path, "sub/c.ts"), "mine");
  await writeFile(join(path, "a.ts"), "mine");
  await expect(placeFiles(path, files, false)).rejects.toMatchObject({
    code: "INIT_EXISTS",
    value: "a.ts\nsub/c.ts",
  });
  expect(await filesIn(path)).toEqual(["a.ts", "sub/c.ts"]);
  await placeFiles(path, files, true);
  expect(await readFile(join(path, "a.ts"), "utf8")).toBe("new a");
  expect(await filesIn(path)).toEqual(["a.ts", "sub/c.ts", "sub/deep/b.ts"]);
});

it("a failure on the way leaves everything as it was", async () => {
  const path = await fresh();
  await writeFile(join(path, "a.ts"), "mine");
  await writeFile(join(path, "sub"), "a file where a folder should be");
  await expect(placeFiles(path, files, true)).rejects.toMatchObject({ code: "INIT_WRITE" });
  expect(await filesIn(path)).toEqual(["a.ts", "sub"]);
  expect(await readFile(join(path, "a.ts"), "utf8")).toBe("mine");
});
