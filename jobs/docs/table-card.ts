/** The description of one table on the page. */
import { formatBytes, groupDigits } from "../terminal/numbers.ts";
import type { DescribedColumn, DescribedOrigin, DescribedTable } from "./described.ts";
import { type Html, html } from "./html.ts";

/** Where the description of a table, or of one of its columns, stands on the page. */
export const anchorOf = (pipeline: string, table: string, column?: string): string =>
  encodeURIComponent([pipeline, table, ...(column === undefined ? [] : [column])].join("."));

export function renderTable(pipeline: string, table: DescribedTable): Html {
  const { columns } = table;
  const hasDetail = columns.some((column) => column.description !== undefined || column.checks.length > 0);
  const hasOrigins = columns.some((column) => column.from.length > 0);
  return html`<article class="card ${table.layer}" id="${anchorOf(pipeline, table.name)}" data-search="${searchText(table)}">
<h3><span class="layer">${table.layer}.</span>${table.name.slice(table.layer.length + 1)} ${table.kind === undefined ? undefined : html`<span class="badge">${table.kind}</span>`}${table.published === undefined ? undefined : html` <span class="badge published" title="published as ${table.published}">published</span>`}</h3>
${table.description === undefined ? undefined : html`<p>${table.description}</p>`}
${facts(table)}
<div class="scroll"><table>
<thead><tr><th>column</th><th>type</th>${hasDetail ? html`<th>what it holds</th>` : undefined}${hasOrigins ? html`<th>comes from</th>` : undefined}</tr></thead>
<tbody>${columns.map((column) => row(pipeline, table, column, hasDetail, hasOrigins))}</tbody>
</table></div>
${table.rowsBy.length === 0 ? undefined : html`<p class="note">Rows depend on ${origins(pipeline, table.rowsBy)}</p>`}
${table.unresolved.length === 0 ? undefined : html`<p class="note">Not found in the SQL, so that lineage through it is missing: ${table.unresolved.join(", ")}</p>`}
${table.checks.map(({ name, sql, message }) => html`<p class="note">Check <b>${name}</b>: <code>${sql}</code>${message === undefined ? undefined : html` (${message})`}</p>`)}
${table.audits.length === 0 ? undefined : html`<p class="note">Audits ${table.audits.map(({ name, severity, sql }) => html`<code class="check" title="${sql ?? "held against the table before a commit of it is seen"}">${name}</code>${severity === "warn" ? html`<span class="null" title="is said, and stops nothing"> warns</span>` : undefined} `)}</p>`}
${flow(pipeline, "Reads", table.inputs)}${flow(pipeline, "Read by", table.users)}
${table.sql === undefined ? undefined : html`<details><summary>SQL</summary><pre><code>${table.sql}</code></pre></details>`}
</article>
`;
}

function row(
  pipeline: string,
  table: DescribedTable,
  column: DescribedColumn,
  hasDetail: boolean,
  hasOrigins: boolean,
): Html {
  const checks = column.checks.map((check) => html`<code class="check">${check}</code> `);
  return html`<tr id="${anchorOf(pipeline, table.name, column.name)}"><th scope="row">${column.name}${column.marks.map((mark) => html` <span class="badge">${mark}</span>`)}</th><td class="type">${column.type}${column.nullable === true ? html`<span class="null" title="may be null"> null</span>` : undefined}</td>${hasDetail ? html`<td>${column.description}${column.description !== undefined && checks.length > 0 ? html`<br>` : undefined}${checks}</td>` : undefined}${hasOrigins ? html`<td>${origins(pipeline, column.from)}</td>` : undefined}</tr>
`;
}

/** Columns as links; those that only decide are dim. */
function origins(pipeline: string, from: readonly DescribedOrigin[]): Html[] {
  return from.map(({ table, column, role }) => {
    const isRows = column === "*";
    const name = isRows ? `rows of ${table}` : `${table.slice(table.indexOf(".") + 1)}.${column}`;
    const target = isRows ? anchorOf(pipeline, table) : anchorOf(pipeline, table, column);
    const title = role === "value" ? `${table}, its value` : `${table}, it only decides`;
    return html`<a class="origin ${role}" href="#${target}" title="${title}">${name}</a> `;
  });
}

const flow = (pipeline: string, label: string, tables: readonly string[]): Html | undefined =>
  tables.length === 0
    ? undefined
    : html`<p class="note">${label} ${tables.map((name) => html`<a class="origin value" href="#${anchorOf(pipeline, name)}">${name}</a> `)}</p>`;

function facts({ state, lastRun }: DescribedTable): Html {
  if (state === undefined) return html`<p class="facts">not in the lake yet</p>`;
  const parts = [
    html`<b>${groupDigits(state.rows)}</b> rows`,
    html`${formatBytes(state.bytes)}`,
    html`version ${state.version}`,
    state.changedAt === undefined ? undefined : html`changed ${moment(state.changedAt)}`,
    lastRun === undefined
      ? undefined
      : html`last run <span class="status ${lastRun.status.replace(/\W/g, "")}">${lastRun.status}</span> ${moment(lastRun.startedAt)}, ${groupDigits(lastRun.rowsIn)} rows in, ${groupDigits(lastRun.rowsOut)} out`,
  ].filter((part) => part !== undefined);
  return html`<p class="facts">${parts.map((part) => html`<span>${part}</span>`)}</p>`;
}

/** A moment in UTC; the page's script adds how long ago that is. */
export function moment(at: number): Html {
  const text = Number.isFinite(at) ? new Date(at).toISOString() : "";
  return html`<time datetime="${text}">${text.slice(0, 16).replace("T", " ")}</time>`;
}

const searchText = ({ name, description, columns }: DescribedTable): string =>
  [name, description ?? "", ...columns.map((column) => `${column.name} ${column.description ?? ""}`)]
    .join(" ")
    .toLowerCase();
