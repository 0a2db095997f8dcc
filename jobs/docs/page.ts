/** The page: all pipelines, everything in one file, nothing fetched from anywhere. */
import { createHash } from "node:crypto";
import type { DescribedPipeline } from "./described.ts";
import { renderGraph } from "./graph-svg.ts";
import { Html, html } from "./html.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";
import { moment, renderTable } from "./table-card.ts";

const LAYERS = { gold: "Gold", silver: "Silver", bronze: "Bronze" } as const;

/** The whole document. `madeAt`: milliseconds since the epoch. */
export function renderPage(pipelines: readonly DescribedPipeline[], madeAt: number): string {
  const names = pipelines.map(({ name }) => name).join(", ");
  // Browsers run and apply what is hashed here, and load nothing.
  const policy = `default-src 'none'; style-src ${hash(STYLE)}; script-src ${hash(SCRIPT)}; base-uri 'none'; form-action 'none'`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${names}: tables</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header><h1>${names}</h1><span class="made">as of ${moment(madeAt)} UTC</span><input type="search" placeholder="Search tables and columns" aria-label="Search tables and columns" hidden></header>
<main>
${pipelines.map((pipeline) => renderPipeline(pipeline, pipelines.length > 1))}</main>
<script>${new Html(SCRIPT)}</script>
</body>
</html>
`;
  return page.text;
}

function renderPipeline(pipeline: DescribedPipeline, named: boolean): Html {
  const layers = Object.entries(LAYERS).map(([layer, title]) => {
    const tables = pipeline.tables.filter((table) => table.layer === layer);
    if (tables.length === 0) return undefined;
    return html`<section class="layer"><h2 class="${layer}">${title}</h2>
${tables.map((table) => renderTable(pipeline.name, table))}</section>
`;
  });
  return html`${named ? html`<h2>${pipeline.name}</h2>` : undefined}
<div class="frame"><div class="scroll">${renderGraph(pipeline)}</div>
<p class="legend">Rows flow from left to right: <b class="bronze">bronze</b>, <b class="silver">silver</b>, <b class="gold">gold</b>. In “comes from”, columns that only decide, and do not become part of a value, are in italics.</p></div>
${layers}`;
}

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
