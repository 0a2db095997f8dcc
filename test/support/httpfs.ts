/** DuckDB's extension httpfs from its Python package, where `scripts/interop/install.sh` puts it. */
import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const installed =
  process.env.INGOT_INTEROP ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "ingot/interop");

/** The file; undefined on a machine without it, where a line says so. On a build server that is an error. */
export const httpfsExtension = findExtension();
if (httpfsExtension === undefined) {
  const line = `No DuckDB extension httpfs in ${installed}`;
  if (process.env.CI)
    throw new Error(`${line}: run scripts/interop/install.sh, tests must not be skipped here.`);
  process.stderr.write(`${line}: tests that need it are skipped; scripts/interop/install.sh installs it.\n`);
}

function findExtension(): string | undefined {
  try {
    const files = readdirSync(join(installed, "venv/lib"), { recursive: true, encoding: "utf8" });
    const found = files.find((file) => file.endsWith("httpfs.duckdb_extension"));
    return found === undefined ? undefined : join(installed, "venv/lib", found);
  } catch {
    return undefined;
  }
}
