/**
 * Other tools that load a table of Postgres into Parquet files, each set up as its documentation says is fastest on
 * two cores. Installed by scripts/bench/install-peers.sh.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** How a tool is run. It reads `public.orders` and leaves Parquet files, and nothing else of that kind, in `out`. */
export interface Peer {
  readonly name: string;
  /** Path in the folder of installed programs. */
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  /** `folder` is empty but for `out`. */
  readonly args: (connectionString: string, folder: string) => readonly string[];
}

// The programs are no modules of TypeScript's: they are not beside the compiled ones.
const script = (name: string) => resolve("scripts/bench/peers", name);

export const PEERS: readonly Peer[] = [
  {
    name: "dlt",
    program: "python",
    environment: { RUNTIME__DLTHUB_TELEMETRY: "false" },
    args: (url, folder) => [script("dlt-load.py"), url, folder],
  },
  {
    name: "ingestr",
    program: "ingestr",
    environment: { INGESTR_DISABLE_TELEMETRY: "true" },
    args: (url, folder) => [
      ...["ingest", "--yes", "--progress", "json"],
      ...["--source-uri", `${url}?sslmode=disable`, "--source-table", "public.orders"],
      ...["--dest-uri", `parquet://${folder}/out/orders.parquet`, "--dest-table", "orders"],
    ],
  },
  {
    name: "sling",
    program: "sling",
    // It would write Parquet through a DuckDB that it downloads; its own writer takes as long, as it reads row by row.
    environment: {
      SLING_DISABLE_TELEMETRY: "true",
      SLING_DUCKDB_COMPUTE: "false",
      SLING_PROCESS_BW: "false",
    },
    args: (url, folder) => [
      ...["run", "--src-conn", `${url}?sslmode=disable`, "--src-stream", "public.orders"],
      ...["--tgt-object", `file://${folder}/out/orders.parquet`],
    ],
  },
  {
    name: "duckdb",
    program: "python",
    environment: {},
    args: (url, folder) => [script("duckdb-load.py"), url, folder],
  },
];

/** Folder of the installed programs; undefined where nothing is installed. */
export function findPeers(environment = process.env): string | undefined {
  const cache = environment.XDG_CACHE_HOME || join(homedir(), ".cache");
  const root = environment.INGOT_PEERS || join(cache, "ingot", "peers");
  return existsSync(join(root, "installed")) ? join(root, "venv", "bin") : undefined;
}
