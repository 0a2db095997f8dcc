/** From a database to the files of a project; nothing is written here. */
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { askChanges, askName, askTables, checkName } from "./ask.ts";
import { type ChangesChoice, uncapturable } from "./choose-changes.ts";
import { type LeftTable, qualified, type TableChoice, usableTables } from "./choose-tables.ts";
import { constantOf, nameTables } from "./names.ts";
import { type PlannedTable, planTable } from "./plan-table.ts";
import { probeTables } from "./probe.ts";
import type { Questions } from "./questions.ts";
import { readServer, type Server } from "./read-server.ts";
import { type FoundTable, readTables } from "./read-tables.ts";
import type { Changes } from "./table-key.ts";
import { writeContract } from "./write-contract.ts";
import { reservedWords, writeModel } from "./write-model.ts";
import { type PlannedPipeline, writeConfig, writePipeline } from "./write-pipeline.ts";

/** Answers that were given beforehand; what is absent is asked. */
export interface DraftOptions extends TableChoice {
  readonly name?: string | undefined;
  readonly changes?: Changes | undefined;
}

/** A project as it would be written. */
export interface Draft {
  readonly pipeline: PlannedPipeline;
  readonly left: readonly LeftTable[];
  /** Texts by path. */
  readonly files: ReadonlyMap<string, string>;
}

/** The file that every project has. */
export const CONFIG_FILE = "ingot.config.ts";

/** Looks at the database, asks what is open, and drafts the project. Throws `INIT_NO_TABLES` where it has none. */
export async function draftProject(
  connectionString: string,
  options: DraftOptions,
  questions: Questions,
): Promise<Draft> {
  if (options.name !== undefined) checkName(options.name);
  const { server, found } = await look(connectionString);
  if (found.length === 0) throw noTables(server);
  const name = options.name ?? (await askName(server, questions));
  const { usable, left } = usableTables(await askTables(found, options, questions));
  if (usable.length === 0) throw noTables(server, left);
  const choice = await askChanges(server, usable, name, options.changes, questions);
  const { taken, uncaptured } = splitByChanges(usable, choice.changes);
  if (taken.length === 0) throw noTables(server, [...left, ...uncaptured]);
  const pipeline = planPipeline(name, choice, await probe(connectionString, taken));
  return { pipeline, left: [...left, ...uncaptured], files: await writeFiles(pipeline) };
}

async function look(connectionString: string): Promise<{ server: Server; found: FoundTable[] }> {
  const client = await connect(connectionString);
  try {
    return { server: await readServer(client), found: await readTables(client) };
  } finally {
    await disconnect(client);
  }
}

async function probe(connectionString: string, tables: readonly FoundTable[]): Promise<FoundTable[]> {
  const client = await connect(connectionString);
  try {
    return await probeTables(client, tables);
  } finally {
    await disconnect(client);
  }
}

/** Parts the tables whose changes can be found in that way from the others. */
function splitByChanges(tables: readonly FoundTable[], changes: Changes) {
  const taken: FoundTable[] = [];
  const uncaptured: LeftTable[] = [];
  for (const table of tables) {
    const why = changes === "wal" ? uncapturable(table) : undefined;
    if (why === undefined) taken.push(table);
    else uncaptured.push({ table: qualified(table), why });
  }
  return { taken, uncaptured };
}

function planPipeline(name: string, choice: ChangesChoice, tables: readonly FoundTable[]): PlannedPipeline {
  const taken = new Set<string>();
  const constant = constantOf(name, taken, "Pipeline");
  const names = nameTables(tables);
  const planned = tables.map((table, i): PlannedTable => {
    const own = names[i] ?? "";
    return planTable(table, { name: own, constant: constantOf(own, taken, "Table") }, choice.changes);
  });
  return { name, constant, choice, tables: planned };
}

async function writeFiles(pipeline: PlannedPipeline): Promise<Map<string, string>> {
  const duckdb = await DuckDb.open({ memoryMb: 64, threads: 1 });
  try {
    const reserved = await reservedWords(duckdb);
    const files = new Map([[CONFIG_FILE, writeConfig(pipeline)]]);
    for (const table of pipeline.tables) {
      if (table.model) files.set(`schemas/${table.name}.ts`, writeContract(table, table.model));
    }
    files.set(`pipelines/${pipeline.name}/pipeline.ts`, writePipeline(pipeline));
    for (const table of pipeline.tables) {
      const path = `pipelines/${pipeline.name}/silver/${table.name}.sql`;
      if (table.model) files.set(path, writeModel(table, table.model, reserved));
    }
    return files;
  } finally {
    duckdb.close();
  }
}

function noTables({ database, user }: Server, left: readonly LeftTable[] = []): TerminalError {
  return new TerminalError(`database ${database} has no table that ${user} could take`, {
    code: "INIT_NO_TABLES",
    value: left.length > 0 ? left.map(({ table, why }) => `${table}: ${why}`).join("\n") : database,
    next: "Check the name of the database and the rights of its user; then run `ingot init` again.",
  });
}
