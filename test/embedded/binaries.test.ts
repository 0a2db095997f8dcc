import { chmod, cp, lstat, mkdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { findNative, prepareBinaries, restoreLinks, versionOf } from "../../jobs/embedded/binaries.ts";
import { run } from "../../jobs/embedded/processes.ts";
import { useFolder } from "../support/folder.ts";

const folder = useFolder();
const isRoot = process.getuid?.() === 0;

// Of the package, whichever server the other tests run on.
beforeEach(() => vi.stubEnv("INGOT_POSTGRES_BIN", undefined));
afterEach(() => vi.unstubAllEnvs());

test("a platform without binaries is told what to do", () => {
  expect(() => findNative("sunos", "sparc")).toThrow(
    expect.objectContaining({
      code: "POSTGRES_NOT_INSTALLED",
      value: "sunos-sparc",
      allowed: expect.stringContaining("linux-x64"),
      next: expect.stringContaining("DATABASE_URL"),
    }),
  );
});

test("the version is that of the package", async () => {
  expect(await versionOf(findNative())).toMatch(/^17\..+-beta/);
});

test("programs that are named are taken instead of the package's, with the version that they say", async () => {
  const other = join(folder.path, "other", "native");
  await cp(findNative(), other, { recursive: true, verbatimSymlinks: true });
  vi.stubEnv("INGOT_POSTGRES_BIN", join(other, "bin"));
  expect(findNative()).toBe(other);
  expect(await versionOf(other)).toMatch(/^17\.\d+$/);
  const { postgres } = await prepareBinaries(undefined);
  expect(postgres).toBe(join(other, "bin", "postgres"));
});

test("a folder that is named and holds no programs is told", async () => {
  vi.stubEnv("INGOT_POSTGRES_BIN", join(folder.path, "nothing", "bin"));
  await expect(prepareBinaries(undefined)).rejects.toMatchObject({
    code: "POSTGRES_NOT_RUNNABLE",
    value: join(folder.path, "nothing", "bin"),
    next: expect.stringContaining("INGOT_POSTGRES_BIN"),
  });
});

test("links that npm left out are made, by several at once", async () => {
  const native = join(folder.path, "linkless", "native");
  await mkdir(join(native, "lib"), { recursive: true });
  await cp(join(findNative(), "pg-symlinks.json"), join(native, "pg-symlinks.json"));
  expect(await Promise.all([1, 2, 3, 4].map(() => restoreLinks(native)))).toEqual([true, true, true, true]);
  const links: { target: string }[] = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8"));
  for (const { target } of links) {
    expect((await lstat(join(dirname(native), target))).isSymbolicLink()).toBe(true);
  }
});

test.skipIf(!isRoot)("binaries in a folder that the server's user cannot enter are copied", async () => {
  const user = { uid: 65534, gid: 65534 };
  const secret = join(folder.path, "secret");
  const installed = join(secret, "package");
  await mkdir(installed, { recursive: true });
  await chmod(secret, 0o700);
  await cp(dirname(findNative()), installed, { recursive: true, verbatimSymlinks: true });

  const cache = join(folder.path, "cache");
  const copies = await Promise.all([1, 2].map(() => prepareBinaries(user, join(installed, "native"), cache)));
  for (const { postgres } of copies) {
    expect(postgres.startsWith(cache)).toBe(true);
    expect(await run(postgres, ["--version"], user)).toMatchObject({ ok: true });
  }
  const before = await stat(copies[0]?.postgres ?? "");
  const again = await prepareBinaries(user, join(installed, "native"), cache);
  expect((await stat(again.postgres)).ino).toBe(before.ino);
  await rm(cache, { recursive: true });
});
