/** Projects of one pipeline on lakes in different places: commands run in each of them, and what they left compared. */
import { mkdir, writeFile } from "node:fs/promises";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { type CliResult, ingotCli } from "../support/cli.ts";
import { queryTable } from "../support/lake.ts";
import type { TestS3 } from "../support/s3.ts";

export interface Place {
  readonly name: string;
  /** Folder of the project. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The lake as it is now, by nothing that a command opened. */
  readonly lake: Lake;
  run(...args: string[]): Promise<CliResult>;
  /** As `run`, of a command that has to succeed; what it printed as JSON. */
  json<T = Record<string, unknown>>(...args: string[]): Promise<T>;
}

export interface PlaceOptions {
  readonly duckdb: DuckDb;
  /** Folder in which its project is made. */
  readonly root: string;
  readonly name: string;
  /** Text of `ingot.config.ts`. */
  readonly config: string;
  /** The bucket that its lake is in; a folder without. */
  readonly s3?: TestS3;
  readonly environment: Readonly<Record<string, string>>;
}

/** Makes a project with a lake of its own. */
export async function makePlace(options: PlaceOptions): Promise<Place> {
  const { duckdb, root, name, config, s3, environment } = options;
  const folder = `${root}/${name}`;
  await mkdir(folder);
  await writeFile(`${folder}/ingot.config.ts`, config);
  const store: ObjectStore = s3 ? s3.store(name) : new LocalStore(`${folder}/lake`);
  const reached = {
    ...environment,
    ...s3?.environment(),
    INGOT_LAKE: store.root,
    INGOT_CACHE: `${root}/cache`,
  };
  const run = (...args: string[]) => ingotCli(folder, args, reached);
  return {
    name,
    folder,
    environment: reached,
    lake: new Lake(store, duckdb),
    run,
    async json<T>(...args: string[]) {
      const { code, stdout, stderr } = await run(...args, "--json");
      if (code !== 0) throw new Error(`${name}: ingot ${args.join(" ")} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout) as T;
    },
  };
}

/** Rows of all tables of silver, gold and quarantine, in order, without columns of Ingot's own. */
export async function modelRows({ lake }: Place): Promise<Record<string, unknown>> {
  const rows: Record<string, unknown> = {};
  for (const path of await lake.tables()) {
    const [, layer = ""] = path.split("/");
    if (!["silver", "gold", "quarantine"].includes(layer)) continue;
    // What is in quarantine says when it came, and from which commit.
    const own = layer === "quarantine" ? "'held_at|at|lsn|run'" : "'^_ingot'";
    rows[path] = await queryTable(
      lake,
      path,
      `SELECT COLUMNS(c -> NOT regexp_matches(c, ${own})) FROM t ORDER BY ALL`,
    );
  }
  return rows;
}
