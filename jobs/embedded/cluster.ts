import { randomUUID } from "node:crypto";
import { access, chmod, mkdir, readlink, realpath, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../lakehouse/errors.ts";
import { run, type ServerUser } from "./processes.ts";

/**
 * Postgres refuses to run as root, and initdb wants a user that the system knows: `nobody` on Linux; on macOS that
 * has a negative number, which not all calls take, and `daemon` serves as well.
 */
const NOBODY: ServerUser = process.platform === "darwin" ? { uid: 1, gid: 1 } : { uid: 65534, gid: 65534 };
/** Link in a cluster's folder that names where the cluster is, when the server's user cannot enter the folder. */
const ELSEWHERE = "elsewhere";

/** Where a cluster is, and whom its server runs as. */
export interface Cluster {
  /** Canonical path of the folder that holds `data`, the log and the lock. */
  readonly home: string;
  readonly data: string;
  readonly user: ServerUser | undefined;
}

/**
 * Makes the folder of a cluster, or finds it. Run as root, the server belongs to `nobody`, who often cannot enter a
 * project (`/root` has mode 0700): then the cluster lives under `/var/lib/ingot` and `<folder>/elsewhere` leads there.
 */
export async function openCluster(folder: string): Promise<Cluster> {
  await mkdir(folder, { recursive: true });
  const home = await realpath(folder);
  if (process.getuid?.() !== 0) return { home, data: join(home, "data"), user: undefined };

  const elsewhere = await linkedFolder(home);
  if (elsewhere !== undefined) return asOwner(elsewhere);
  if ((await exists(join(home, "data"))) || (await canEnter(home))) return asOwner(home);
  const target = `/var/lib/ingot/postgres-${randomUUID()}`;
  await mkdir(target, { recursive: true });
  for (const path of ["/var/lib/ingot", target]) await chmod(path, 0o755);
  try {
    await symlink(target, join(home, ELSEWHERE));
  } catch (error) {
    await rm(target, { recursive: true });
    if (codeOf(error) !== "EEXIST") throw error;
  }
  return asOwner((await linkedFolder(home)) ?? home);
}

/** As root, a cluster that an ordinary user made goes on belonging to that user. */
async function asOwner(home: string): Promise<Cluster> {
  const data = join(home, "data");
  const owner = (await exists(data)) ? await stat(data) : NOBODY;
  if (owner.uid !== 0) return { home, data, user: { uid: owner.uid, gid: owner.gid } };
  // Copied by root without its owner.
  await run("chown", ["-R", `${NOBODY.uid}:${NOBODY.gid}`, data]);
  return { home, data, user: NOBODY };
}

/** Asked by trying: any folder on the way may keep `nobody` out. The last one is ours to open. */
async function canEnter(home: string): Promise<boolean> {
  const enter = () => run("/bin/sh", ["-c", 'cd "$1"', "sh", home], NOBODY);
  if ((await enter()).ok) return true;
  const mode = (await stat(home)).mode & 0o777;
  await chmod(home, mode | 0o011);
  if ((await enter()).ok) return true;
  await chmod(home, mode);
  return false;
}

async function linkedFolder(home: string): Promise<string | undefined> {
  try {
    const target = await readlink(join(home, ELSEWHERE));
    await mkdir(target, { recursive: true });
    return target;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
