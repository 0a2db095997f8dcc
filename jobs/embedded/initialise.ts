import { randomBytes, randomUUID } from "node:crypto";
import { access, chown, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, TerminalError } from "../../lakehouse/errors.ts";
import type { Binaries } from "./binaries.ts";
import type { Cluster } from "./cluster.ts";
import { run, type ServerUser } from "./processes.ts";

/** Lies in the data folder, so that a renamed cluster brings its password along. */
const PASSWORD = "ingot.password";
const UNFINISHED = /^data\..+\.tmp$/;

/** Makes the cluster with a password of its own unless that has been done. Only under the cluster's lock. */
export async function initialise(cluster: Cluster, binaries: Binaries, sync: boolean): Promise<void> {
  for (const name of await readdir(cluster.home)) {
    // Best effort: an initdb that outlived its parent may still be writing there.
    if (UNFINISHED.test(name))
      await rm(join(cluster.home, name), { recursive: true, force: true }).catch(() => {});
  }
  if (await isFinished(cluster.data)) return checkVersion(cluster.data, binaries);

  const temporary = join(cluster.home, `data.${randomUUID()}.tmp`);
  const passwordFile = `${temporary}.tmp`;
  await mkdir(temporary, { mode: 0o700 });
  await writePrivate(passwordFile, randomBytes(24).toString("base64url"));
  for (const path of [temporary, passwordFile]) await give(path, cluster.user);
  const major = majorOf(binaries);
  const locale = ["--encoding=UTF8", "--locale=C"];
  if (major >= 17) locale.push("--locale-provider=builtin", "--builtin-locale=C.UTF-8");
  const login = ["--username=postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`];
  const rest = [...(major >= 14 ? ["--no-instructions"] : []), ...(sync ? [] : ["--no-sync"])];
  const args = ["-D", temporary, ...locale, ...login, ...rest];
  const outcome = await run(binaries.initdb, args, cluster.user, cluster.home);
  if (!outcome.ok) {
    for (const path of [temporary, passwordFile]) await rm(path, { recursive: true, force: true });
    throw new TerminalError(`initdb could not make a cluster in ${cluster.home}:\n${outcome.output}`, {
      code: "POSTGRES_INITDB_FAILED",
      value: cluster.home,
      next: "See above; a full disk, a folder that cannot be written or a user that is not in /etc/passwd are usual reasons.",
    });
  }
  await rename(passwordFile, join(temporary, PASSWORD));
  await rename(temporary, cluster.data);
}

/** The superuser's password. */
export async function readPassword(cluster: Cluster): Promise<string> {
  try {
    return await readFile(join(cluster.data, PASSWORD), "utf8");
  } catch (cause) {
    throw new TerminalError(
      `The password of the Postgres in ${cluster.home} cannot be read (${codeOf(cause)}).`,
      {
        code: "POSTGRES_NOT_OURS",
        value: cluster.home,
        next: "Run as the user who made this cluster, or use another folder.",
        cause,
      },
    );
  }
}

/** A folder below the cluster's for the server's socket, which nobody else may enter. */
export async function makeSocketFolder(cluster: Cluster): Promise<string> {
  const folder = join(cluster.home, "socket");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await give(folder, cluster.user);
  return folder;
}

async function checkVersion(data: string, binaries: Binaries): Promise<void> {
  const made = (await readFile(join(data, "PG_VERSION"), "utf8")).trim();
  const major = majorOf(binaries);
  if (made === String(major)) return;
  throw new TerminalError(
    `The cluster in ${data} was made by Postgres ${made}; installed is Postgres ${major}.`,
    {
      code: "POSTGRES_VERSION",
      value: made,
      allowed: String(major),
      next: "Dump it with the old version and restore it with the new one, or use another folder.",
    },
  );
}

function majorOf(binaries: Binaries): number {
  return Number.parseInt(binaries.version, 10);
}

async function writePrivate(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function give(path: string, user: ServerUser | undefined): Promise<void> {
  if (user !== undefined) await chown(path, user.uid, user.gid);
}

async function isFinished(data: string): Promise<boolean> {
  return access(join(data, "PG_VERSION")).then(
    () => true,
    () => false,
  );
}
