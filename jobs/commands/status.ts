import { Command } from "commander";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { countRows } from "../../lakehouse/delta/stats.ts";
import type { Row } from "../../lakehouse/duckdb/duckdb.ts";
import { type Position, readPosition, SOURCE_APP } from "../../layers/bronze/position.ts";
import { formatLsn } from "../../layers/bronze/postgres/lsn.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { lastRuns } from "../../layers/journal.ts";
import { lastAudits } from "../../layers/models/audit/audit-log.ts";
import { auditsOf } from "../../layers/models/audit/declared-audits.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { formatAge, formatBytes } from "../terminal/numbers.ts";
import { renderTable } from "../terminal/table.ts";
import { terminalWidth } from "../terminal/terminal-size.ts";

/** What is known of one table. */
interface TableStatus {
  readonly table: string;
  readonly rows: number;
  readonly bytes: number;
  readonly files: number;
  readonly version: number;
  /** Milliseconds since its newest commit. */
  readonly ageMs: number | undefined;
  /** How far the source, or the inputs, have been taken in. */
  readonly position: string | undefined;
  /** Of a bronze table: how its changes are found. */
  readonly changes: "query" | "wal" | undefined;
  /** Whether its historical load has not come to its end. */
  readonly loading: boolean;
  /** Of such a load: the share of rows that are there, from 0 to 1, where the source gave an estimate. */
  readonly loaded: number | undefined;
  readonly lastRun: { readonly at: string; readonly status: string; readonly rows: number } | undefined;
  /** Audits of a model that failed when they were made last. */
  readonly failedAudits: readonly {
    readonly audit: string;
    readonly severity: string;
    readonly rows: number;
    readonly at: string;
  }[];
}

export const statusCommand = () =>
  new Command("status")
    .description("Say for every table how many rows, which version, how old, how far its source was taken.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .addHelpText("after", "\nExamples:\n  ingot status\n  ingot status commerce --json")
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, async (runtime) => {
        const tables: TableStatus[] = [];
        for (const pipeline of runtime.pipelines(name)) tables.push(...(await statusOf(runtime, pipeline)));
        process.stdout.write(
          options.json ? `${jsonText({ lake: runtime.lakeRoot, tables })}\n` : render(runtime, tables),
        );
      });
    });

async function statusOf(runtime: Runtime, definition: PipelineDefinition): Promise<TableStatus[]> {
  const pipeline = definition.name;
  const runs = await lastRuns(runtime.lake, pipeline);
  const audits = await lastAudits(runtime.lake, pipeline);
  const tables: TableStatus[] = [];
  for (const path of await runtime.lake.tables(pipeline)) {
    const [, layer = "", name = ""] = path.split("/");
    if (layer === "_ingot") continue;
    const snapshot = await runtime.lake.table(path).existingSnapshot();
    const run = runs.get(`${layer}.${name}`);
    const source = readPosition(snapshot);
    const rows = countRows(snapshot.files.values());
    tables.push({
      table: `${pipeline}.${layer}.${name}`,
      rows,
      bytes: [...snapshot.files.values()].reduce((sum, file) => sum + file.size, 0),
      files: snapshot.files.size,
      version: snapshot.version,
      ageMs: snapshot.timestamp === undefined ? undefined : Math.max(0, Date.now() - snapshot.timestamp),
      position: source ? sourcePosition(snapshot, source) : inputPosition(snapshot),
      changes: source?.changes,
      loading: source?.load !== undefined,
      loaded: source?.load && loadedShare(rows, source.expectedRows),
      failedAudits: failedAudits(definition, layer, name, audits, run?.status === "failed"),
      lastRun: run && { at: String(run.started_at), status: String(run.status), rows: Number(run.rows_in) },
    });
  }
  const order = ["bronze", "silver", "gold"];
  const rank = (t: TableStatus) => order.indexOf(t.table.split(".")[1] ?? "");
  return tables.sort((a, b) => rank(a) - rank(b) || (a.table < b.table ? -1 : 1));
}

/** Of the audits that the model has today; what others found is past. */
function failedAudits(
  definition: PipelineDefinition,
  layer: string,
  name: string,
  audits: readonly Row[],
  isFailed: boolean,
): TableStatus["failedAudits"] {
  const models = layer === "silver" ? definition.silver : layer === "gold" ? definition.gold : undefined;
  const model = models?.[name];
  const declared = new Set(model && auditsOf(definition, model).map((audit) => audit.name));
  return audits.flatMap((row) => {
    // A version that was refused is past as soon as a run has come through.
    if (row.version === null && !isFailed) return [];
    if (row.model !== `${layer}.${name}` || row.status !== "failed" || !declared.has(String(row.audit)))
      return [];
    const [audit, severity, at] = [String(row.audit), String(row.severity), String(row.checked_at)];
    return [{ audit, severity, rows: Number(row.failing_rows), at }];
  });
}

/** `wal 0/1A2B3C`: the LSN up to which changes were captured; `query 2026-01-31T12:00:00Z`: the moment that was read. */
function sourcePosition(snapshot: Snapshot, { changes, lsn, at }: Position): string {
  if (changes === "query") return `query ${at.slice(0, 19).replace(" ", "T")}Z`;
  return `wal ${formatLsn(snapshot.transactions.get(SOURCE_APP)?.version ?? lsn)}`;
}

/** `orders@3` for models. */
function inputPosition(snapshot: Snapshot): string | undefined {
  const inputs = [...snapshot.transactions.values()].filter((txn) => txn.appId.startsWith("ingot.input/"));
  if (inputs.length === 0) return undefined;
  return inputs.map((txn) => `${txn.appId.slice(12)}@${txn.version}`).join(" ");
}

/** An estimate is never the whole, as long as the load goes on. */
const loadedShare = (rows: number, expected: number | undefined) =>
  expected === undefined || expected <= 0 ? undefined : Math.min(0.99, rows / expected);

function positionText({ loading, loaded, position }: TableStatus): string | null {
  if (!loading) return position ?? null;
  return `loading${loaded === undefined ? "" : ` ${Math.floor(loaded * 100)} %`}, ${position}`;
}

function render(runtime: Runtime, tables: readonly TableStatus[]): string {
  if (tables.length === 0) return `The lake at ${runtime.lakeRoot} is empty. Start with \`ingot load\`.\n`;
  const columns = [
    { name: "table" },
    { name: "rows", type: "BIGINT" },
    { name: "size", type: "BIGINT" },
    { name: "files", type: "BIGINT" },
    { name: "version", type: "BIGINT" },
    { name: "age" },
    { name: "last run" },
    { name: "position" },
  ];
  const rows = tables.map((t) => [
    t.table,
    t.rows,
    formatBytes(t.bytes),
    t.files,
    t.version,
    t.ageMs === undefined ? null : formatAge(t.ageMs),
    t.lastRun ? `${t.lastRun.status}, ${t.lastRun.rows} rows` : null,
    positionText(t),
  ]);
  const warnings = tables.flatMap(({ table, failedAudits }) =>
    failedAudits.map(({ audit, severity, rows: wrong, at }) => {
      const said = severity === "error" ? "failed" : "warns:";
      return `${table} ${said} ${audit}, ${wrong} row${wrong === 1 ? "" : "s"}, ${at.slice(0, 19)}\n`;
    }),
  );
  return `${renderTable({ columns, rows }, { width: terminalWidth(process.stdout, 160) })}\n${warnings.join("")}`;
}
