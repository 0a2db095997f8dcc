/** Published metrics on a terminal: a small chart, and the rows as a table. */
import type { PipelineDefinition } from "../layers/definition/pipeline.ts";
import type { PublishedMetric } from "../layers/definition/published.ts";
import { setOf } from "../layers/publish/publication.ts";
import type { TargetByName } from "../layers/publish/publish.ts";
import type { PublishedVersion, PublishTarget } from "../layers/publish/target.ts";
import { renderBars, renderLine } from "./terminal/chart.ts";
import { styleFor } from "./terminal/style.ts";
import { renderTable } from "./terminal/table.ts";

/** A metric and what is published of it. */
export interface ShownMetric {
  readonly metric: PublishedMetric;
  readonly published: PublishedVersion | undefined;
}

/**
 * Reads what consumers see now, metric by metric, from `target`; those that name their targets from the first of these,
 * where `byName` finds it.
 */
export async function readMetrics(
  target: PublishTarget,
  pipeline: PipelineDefinition,
  byName?: TargetByName,
): Promise<ShownMetric[]> {
  const shown: ShownMetric[] = [];
  for (const metric of pipeline.publish ?? []) {
    const named = metric.to && (await byName?.(metric.to[0]));
    shown.push({ metric, published: await (named ?? target).read(setOf(pipeline.name, metric)) });
  }
  return shown;
}

const LINE_HEIGHT = 8;
/** Rows of a series under its chart: the newest, for the rest is in the line. */
const NEWEST = 5;
/** Rows of a lookup, which is there to be asked for one. */
const SOME = 20;
/** Bars that still fit beside a table. */
const MOST_BARS = 10;

/** Text for the terminal; no line is longer than `width`. */
export function renderMetric({ metric, published }: ShownMetric, width: number): string {
  const style = styleFor();
  const title = style.bold(metric.title);
  if (published === undefined)
    return `${title}\n${style.dim("not published here yet: `ingot publish` does it")}\n`;
  const { rows, version, publishedAt } = published;
  const stamp = style.dim(`version ${version}, published ${publishedAt.slice(0, 19).replace("T", " ")} UTC`);
  const lines = [`${title}  ${stamp}`];
  const { chart } = metric;
  if (chart) {
    const items = rows.map((row) => ({ label: String(row[chart.label]), value: numeric(row[chart.value]) }));
    lines.push(
      chart.kind === "line"
        ? renderLine(items, { width: Math.min(width, 100), height: LINE_HEIGHT })
        : renderBars(items.slice(-MOST_BARS), { width: Math.min(width, 100) }),
    );
  }
  const columns = Object.keys(rows[0] ?? {}).map((name) => ({ name }));
  const isLookup = metric.as?.kind === "lookup";
  const cut = chart?.kind === "line" ? rows.slice(-NEWEST) : isLookup ? rows.slice(0, SOME) : rows;
  const cells = cut.map((row) => columns.map(({ name }) => readable(row[name])));
  lines.push(renderTable({ columns, rows: cells }, { width }));
  if (cut.length < rows.length)
    lines.push(style.dim(`the ${isLookup ? "first" : "newest"} ${cut.length} of ${rows.length} rows`));
  return `${lines.join("\n")}\n`;
}

/** Floats with more digits than anyone reads are shortened; what is exact stays. */
function readable(value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}

function numeric(value: unknown): number | null {
  if (value === null || value === undefined) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}
