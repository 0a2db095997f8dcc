import { randomUUID } from "node:crypto";
import { Command, InvalidArgumentError } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { TableVerification } from "../../layers/bronze/verify/report.ts";
import { verify } from "../../layers/bronze/verify/verify.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { recordRun } from "../../layers/journal.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { wholeNumber } from "./number-options.ts";
import { renderVerification, type VerifiedTable } from "./verify/render.ts";

interface Options extends GlobalOptions {
  readonly repair?: boolean;
  readonly rangeRows?: number;
}

const EXAMPLES = `
Examples:
  ingot verify
  ingot verify orders commerce.bronze.customers
  ingot verify --repair
  ingot verify orders --range-rows 20000 --json

Tables are brought up to date first. The source is asked for counts and sums of hashes, a range of keys a statement;
rows are read only where those differ. The exit code is 1 where something differs and was not repaired.`;

export const verifyCommand = () =>
  new Command("verify")
    .description("Compare bronze tables with their source, say which ranges of keys differ, and repair them.")
    .argument("[tables...]", "names of bronze tables; all of them by default")
    .option("--repair", "read the rows that differ and append them to the lake")
    .option("--range-rows <n>", "rows that one statement compares at the source, about (100000)", atLeastOne)
    .addHelpText("after", EXAMPLES)
    .action(async (names: readonly string[], _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withRuntime(options, async (runtime) => {
        const verified: VerifiedTable[] = [];
        for (const [pipeline, tables] of chooseTables(runtime.pipelines(), names)) {
          for (const report of await verifyPipeline(runtime, pipeline, tables, options)) {
            verified.push({ pipeline: pipeline.name, ...report });
          }
        }
        runtime.endProgress();
        const agrees = verified.every(({ status }) => status !== "different");
        process.stdout.write(
          options.json ? `${jsonText({ ok: agrees, tables: verified })}\n` : renderVerification(verified),
        );
        if (!agrees) process.exitCode = 1;
      });
    });

function atLeastOne(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError("It takes a whole number, 1 or more.");
  return value;
}

/** Verifies, and writes repairs into the journal. */
async function verifyPipeline(
  runtime: Runtime,
  pipeline: PipelineDefinition,
  tables: readonly string[] | undefined,
  { repair = false, rangeRows }: Options,
): Promise<TableVerification[]> {
  const { lake, config, onProgress } = runtime;
  const connectionString = await runtime.database();
  const startedAt = Date.now();
  const reports = await verify(
    { lake, connectionString, concurrency: config.concurrency, onProgress },
    pipeline,
    {
      repair,
      ...(tables === undefined ? {} : { tables }),
      ...(rangeRows === undefined ? {} : { rangeRows }),
    },
  );
  await recordRun(lake, pipeline.name, {
    id: randomUUID(),
    command: "verify",
    startedAt,
    endedAt: Date.now(),
    entries: reports
      .filter(({ repaired }) => repaired > 0)
      .map(({ table, status, repaired, bytes, version }) => {
        return { task: table, status, rowsIn: repaired, rowsOut: repaired, bytes, version };
      }),
  });
  return reports;
}

/** Which tables of which pipelines are meant; undefined means all of a pipeline's. */
function chooseTables(
  pipelines: readonly PipelineDefinition[],
  names: readonly string[],
): ReadonlyMap<PipelineDefinition, readonly string[] | undefined> {
  if (names.length === 0) return new Map(pipelines.map((pipeline) => [pipeline, undefined]));
  const chosen = new Map<PipelineDefinition, string[]>();
  for (const name of names) {
    const [pipeline, table] = findTable(pipelines, name);
    chosen.set(pipeline, [...(chosen.get(pipeline) ?? []), table]);
  }
  return chosen;
}

/** `orders`, `bronze.orders` or `commerce.bronze.orders`. */
function findTable(pipelines: readonly PipelineDefinition[], name: string): [PipelineDefinition, string] {
  const owner = pipelines.find((pipeline) => name.startsWith(`${pipeline.name}.bronze.`));
  if (owner !== undefined) return [owner, name.slice(`${owner.name}.bronze.`.length)];
  const table = name.startsWith("bronze.") ? name.slice("bronze.".length) : name;
  const naming = pipelines.filter(({ source }) => Object.hasOwn(source.tables, table));
  // A pipeline that takes whole schemas knows its tables only when it asks the source.
  const candidates =
    naming.length > 0 ? naming : pipelines.filter((p) => p.source.discover || pipelines.length === 1);
  const [only, ...others] = candidates;
  if (only !== undefined && others.length === 0) return [only, table];
  throw new TerminalError(
    only === undefined ? `no pipeline takes a table ${table}` : `${table} is of several pipelines`,
    {
      code: "TABLE_UNKNOWN",
      value: name,
      allowed: pipelines
        .flatMap((p) => Object.keys(p.source.tables).map((source) => `${p.name}.bronze.${source}`))
        .join(", "),
      next: "Name the table with its pipeline, as the list above does.",
    },
  );
}
