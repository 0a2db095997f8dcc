/** The tables of a pipeline and what they read, as an inline SVG drawing. */
import type { DescribedPipeline, DescribedTable } from "./described.ts";
import { type GraphLayout, layOut, NODE_HEIGHT, type Point } from "./graph-layout.ts";
import { type Html, html } from "./html.ts";
import { anchorOf } from "./table-card.ts";

const MARGIN = 12;
/** Of the drawing's font, for boxes that are wide enough. */
const CHARACTER = 7.3;

/** A drawing whose boxes lead to the tables' descriptions. Colours come from the page's style. */
export function renderGraph(pipeline: DescribedPipeline): Html {
  const { tables } = pipeline;
  const lastSilver = tables.some((table) => table.layer === "silver") ? 2 : 1;
  const least = { bronze: 0, silver: 1, gold: lastSilver };
  const layout = layOut(
    tables.map((table) => ({
      id: table.name,
      least: least[table.layer],
      width: Math.ceil(shortName(table).length * CHARACTER) + 28,
    })),
    tables.flatMap((table) => table.inputs.map((input) => ({ from: input, to: table.name }))),
  );
  const [width, height] = [layout.width + 2 * MARGIN, layout.height + 2 * MARGIN];
  return html`<svg class="graph" viewBox="${-MARGIN} ${-MARGIN} ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Which table of ${pipeline.name} reads which">
${layout.edges.map(({ from, to, points }) => html`<path class="edge" data-from="${from}" data-to="${to}" d="${curve(points)}"/>\n`)}${tables.map((table) => node(pipeline, table, layout))}</svg>`;
}

function node(pipeline: DescribedPipeline, table: DescribedTable, layout: GraphLayout): Html | undefined {
  const place = layout.nodes.get(table.name);
  if (!place) return undefined;
  const title = [table.name, table.description].filter((part) => part !== undefined).join(": ");
  return html`<a class="node ${table.layer}" data-id="${table.name}" href="#${anchorOf(pipeline.name, table.name)}"><title>${title}</title><rect x="${place.x}" y="${round(place.y)}" width="${place.width}" height="${NODE_HEIGHT}" rx="6"/><text x="${place.x + 14}" y="${round(place.y + NODE_HEIGHT / 2)}">${shortName(table)}</text></a>
`;
}

const shortName = ({ name }: DescribedTable) => name.slice(name.indexOf(".") + 1);

/** Through all points, level at each of them. */
function curve([first, ...rest]: readonly Point[]): string {
  if (!first) return "";
  let path = `M${first.x} ${round(first.y)}`;
  let from = first;
  for (const to of rest) {
    const middle = (from.x + to.x) / 2;
    path +=
      from.y === to.y
        ? `H${to.x}`
        : `C${middle} ${round(from.y)} ${middle} ${round(to.y)} ${to.x} ${round(to.y)}`;
    from = to;
  }
  return path;
}

const round = (n: number) => Math.round(n * 10) / 10;
