import { Command } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import { type How, ROWS } from "../../layers/lineage/origin.ts";
import type { PipelineLineage } from "../../layers/lineage/pipeline-lineage.ts";
import { lineageOf } from "../../layers/lineage/read-lineage.ts";
import { type TraceNode, traceDownstream, traceUpstream } from "../../layers/lineage/trace.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { type Style, styleFor } from "../terminal/style.ts";
import { printable } from "../terminal/text.ts";

interface Options extends GlobalOptions {
  readonly downstream?: boolean;
}

export const lineageCommand = () =>
  new Command("lineage")
    .description("Show which columns a column comes from, back to bronze; or all that it goes into.")
    .usage("[options] [pipeline] <column>")
    .argument("<column...>", "layer.table.column, or layer.table for all of its columns")
    .option("--downstream", "show what it goes into")
    .addHelpText(
      "after",
      "\nA column that only decides (which rows there are, which value is taken) is dim, with what it decides.\n\nExamples:\n  ingot lineage gold.daily_revenue.revenue\n  ingot lineage commerce silver.orders.status --downstream\n  ingot lineage gold.daily_revenue --json",
    )
    .action(async (words: readonly string[], _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const named = splitWords(words);
      await withRuntime(options, async (runtime) => {
        const { name, lineage } = await choose(runtime, named);
        const traced = traceAll(lineage, named.place, options.downstream === true);
        const unresolved = [...lineage.models.values()].flatMap((model) =>
          model.unresolved.map((column) => ({ model: model.model, name: column })),
        );
        process.stdout.write(
          options.json
            ? `${jsonText({ pipeline: name, direction: options.downstream ? "downstream" : "upstream", columns: traced, unresolved })}\n`
            : renderTraces(traced, styleFor()),
        );
        for (const { model, name: column } of options.json ? [] : unresolved) {
          process.stderr.write(
            `${printable(`${model}: ${column} was not found; lineage through it is missing`)}\n`,
          );
        }
      });
    });

interface Place {
  readonly table: string;
  /** Absent for all columns. */
  readonly column: string | undefined;
}

/** `[pipeline] layer.table[.column]`; the pipeline may also stand before the layer, as in SQL. */
function splitWords(words: readonly string[]): { pipeline: string | undefined; place: Place; text: string } {
  const text = words.at(-1) ?? "";
  const [, prefix, table, column] =
    /^(?:([^.]+)\.)?((?:bronze|silver|gold)\.[^.]+)(?:\.(.+))?$/.exec(text) ?? [];
  const pipeline = words.length === 2 ? words[0] : prefix;
  if (table !== undefined && words.length <= 2) return { pipeline, place: { table, column }, text };
  throw new TerminalError("say which column of which table", {
    code: "USAGE",
    value: words.join(" "),
    allowed: "[PIPELINE] LAYER.TABLE.COLUMN or LAYER.TABLE, the layer being bronze, silver or gold",
    next: "For example `ingot lineage gold.daily_revenue.revenue`; `ingot status` lists the tables.",
  });
}

/** The pipeline that has this table; its name has to be said where several do. */
async function choose(
  runtime: Runtime,
  { pipeline, place }: { readonly pipeline: string | undefined; readonly place: Place },
): Promise<{ name: string; lineage: PipelineLineage }> {
  const candidates: {
    name: string;
    lineage: PipelineLineage;
    tables: ReadonlyMap<string, readonly string[]>;
  }[] = [];
  for (const definition of runtime.pipelines(pipeline)) {
    const { lineage } = await lineageOf(runtime.lake, definition);
    candidates.push({ name: definition.name, lineage, tables: tablesOf(lineage) });
  }
  const found = candidates.filter(({ tables }) => tables.has(place.table));
  const [first] = found;
  if (first === undefined) {
    throw new TerminalError(`there is no table ${place.table} that models make or read`, {
      code: "LINEAGE_NO_TABLE",
      value: place.table,
      allowed: candidates.flatMap(({ tables }) => [...tables.keys()]).join(", "),
    });
  }
  if (found.length > 1) {
    throw new TerminalError(`several pipelines have a table ${place.table}`, {
      code: "LINEAGE_AMBIGUOUS",
      value: place.table,
      allowed: found.map(({ name }) => name).join(", "),
      next: `Put the pipeline's name before it: \`ingot lineage ${first.name} ${place.table}\`.`,
    });
  }
  const columns = first.tables.get(place.table) ?? [];
  if (place.column !== undefined && !columns.includes(place.column)) {
    throw new TerminalError(`${place.table} has no column ${place.column}`, {
      code: "LINEAGE_NO_COLUMN",
      value: place.column,
      allowed: columns.join(", "),
    });
  }
  return first;
}

/** Columns by table: of all models, and of the bronze tables that they read. */
const tablesOf = ({ models, sources }: PipelineLineage): ReadonlyMap<string, readonly string[]> =>
  new Map([
    ...sources,
    ...[...models.values()].map((m): [string, string[]] => [m.model, [...m.columns.keys()]]),
  ]);

/** A tree for the column; for a table one for each of its columns, and one for its rows. */
function traceAll(lineage: PipelineLineage, { table, column }: Place, downstream: boolean): TraceNode[] {
  const trace = (name: string) => (downstream ? traceDownstream : traceUpstream)(lineage, table, name);
  if (column !== undefined) return [trace(column)];
  const isOwnRows = (node: TraceNode) => node.column === ROWS && node.table === table;
  const columns = (tablesOf(lineage).get(table) ?? []).map(trace);
  const withoutRows = columns.map((root) => ({
    ...root,
    next: root.next.filter((node) => !isOwnRows(node)),
  }));
  const rows = trace(ROWS);
  return rows.next.length === 0 ? withoutRows : [...withoutRows, rows];
}

const WORDS: Readonly<Record<How, string>> = {
  identity: "as it is",
  transformation: "changed",
  aggregation: "aggregated",
  join: "joins by it",
  group_by: "groups by it",
  filter: "filters by it",
  sort: "sorts by it",
  window: "windows over it",
  conditional: "chooses by it",
};

/** Trees in light lines, one a column. */
function renderTraces(roots: readonly TraceNode[], style: Style): string {
  const lines: string[] = [];
  const draw = (node: TraceNode, indent: string) => {
    node.next.forEach((next, i) => {
      const last = i === node.next.length - 1;
      lines.push(`${style.dim(`${indent}${last ? "└─" : "├─"}`)} ${label(next, node, style)}`);
      draw(next, `${indent}${last ? "  " : "│ "} `);
    });
  };
  for (const root of roots) {
    lines.push(style.bold(nameOf(root)));
    draw(root, "");
    if (root.next.length === 0) lines.push(style.dim("└─ nothing"));
  }
  return `${lines.join("\n")}\n`;
}

const nameOf = ({ table, column }: TraceNode) =>
  printable(column === ROWS ? `rows of ${table}` : `${table}.${column}`);

function label(node: TraceNode, above: TraceNode, style: Style): string {
  const notes = wordsOf(node, above);
  if (node.repeated) notes.push("see above");
  const name = node.role === "value" ? nameOf(node) : style.dim(nameOf(node));
  return notes.length === 0 ? name : `${name} ${style.dim(`(${notes.join(", ")})`)}`;
}

function wordsOf(node: TraceNode, above: TraceNode): string[] {
  const [isRows, ofRows] = [node.column === ROWS, above.column === ROWS];
  // The rows of a table are made of the rows of others; a column only counts them.
  if (isRows && (ofRows || node.table === above.table)) return [];
  return node.ways.map((way) => (way === "aggregation" && isRows !== ofRows ? "counted" : WORDS[way]));
}
