import { spawnSync } from "node:child_process";
import { mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withFolderLock } from "../../jobs/embedded/folder-lock.ts";
import { birthOf } from "../../jobs/embedded/processes.ts";
import { useFolder } from "../support/folder.ts";

const folder = useFolder();

test("callers take turns, and one file remains", async () => {
  const path = join(folder.path, "turns");
  let inside = 0;
  const seen: number[] = [];
  const turn = (n: number) =>
    withFolderLock(path, async () => {
      inside += 1;
      expect(inside).toBe(1);
      await readdir(path);
      seen.push(n);
      inside -= 1;
    });
  await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(turn));
  expect(seen.sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(await readdir(join(path, "lock"))).toHaveLength(1);
});

test("work that throws gives the lock back", async () => {
  const path = join(folder.path, "throws");
  const work = () => Promise.reject(new Error("on purpose"));
  await expect(withFolderLock(path, work)).rejects.toThrow("on purpose");
  expect(await withFolderLock(path, async () => "free again")).toBe("free again");
});

test("a dead holder is replaced, by one of many", async () => {
  const path = join(folder.path, "dead");
  const { pid } = spawnSync(process.execPath, ["--version"]);
  await holdLock(path, `${pid} 12345`);
  let inside = 0;
  const work = async () => {
    expect(++inside).toBe(1);
    await readdir(path);
    inside -= 1;
  };
  await Promise.all([1, 2, 3, 4, 5, 6].map(() => withFolderLock(path, work)));
});

test("a holder whose number now belongs to another process is dead", async () => {
  const path = join(folder.path, "reused");
  await holdLock(path, `${process.pid} born at another time`);
  expect(await withFolderLock(path, async () => "mine")).toBe("mine");
});

test("a living holder is waited for, not for ever", async () => {
  const path = join(folder.path, "held");
  await holdLock(path, `${process.pid} ${birthOf(process.pid)}`);
  const attempt = withFolderLock(path, async () => "never", 50);
  await expect(attempt).rejects.toMatchObject({ code: "FOLDER_LOCKED" });
});

async function holdLock(path: string, holder: string): Promise<void> {
  await mkdir(join(path, "lock"), { recursive: true });
  await symlink(holder, join(path, "lock", "7"));
}
