/** Lineage through all models of a pipeline: back to where a column comes from, or on to all that it goes into. */
import { type How, isDirect, type Origin, ROWS } from "./origin.ts";
import type { PipelineLineage } from "./pipeline-lineage.ts";

/** A column, or the rows of a table, with what is before it (upstream) or after it (downstream). */
export interface TraceNode {
  /** `silver.orders` */
  readonly table: string;
  /** `ROWS` where it is about which rows there are. */
  readonly column: string;
  /** Ways between this and the node above; none for the root. */
  readonly ways: readonly How[];
  /** `condition`: on the way to the root values only decide. */
  readonly role: "value" | "condition";
  readonly next: readonly TraceNode[];
  /** What comes next is shown at another place, where the same node stands. */
  readonly repeated: boolean;
}

/** What a column's values, and the rows of its table, come from. */
export function traceUpstream(lineage: PipelineLineage, table: string, column: string): TraceNode {
  return trace({ table, column }, (at, role) => {
    const model = lineage.models.get(at.table);
    if (model === undefined) return [];
    if (at.column === ROWS) {
      // Whose rows they are matters where rows are counted; else only what chose them does.
      return role === "value" ? model.rows : model.rows.filter((origin) => decides(lineage, origin));
    }
    const origins = model.columns.get(at.column) ?? [];
    const chosen = model.rows.some((origin) => decides(lineage, origin));
    return chosen ? [...origins, { table: at.table, column: ROWS, how: "filter" }] : origins;
  });
}

/** Whether an origin of rows is a condition, or rows that were themselves chosen by one. */
function decides(lineage: PipelineLineage, { table, column, how }: Origin): boolean {
  if (column !== ROWS || !isDirect(how)) return true;
  return lineage.models.get(table)?.rows.some((origin) => decides(lineage, origin)) ?? false;
}

/** What a column goes into. Where it decides which rows a model has, that is said once, not of each of its columns. */
export function traceDownstream(lineage: PipelineLineage, table: string, column: string): TraceNode {
  const users = new Map<string, Origin[]>();
  const add = (from: Origin, to: { table: string; column: string }) => {
    const key = keyOf(from);
    users.set(key, [...(users.get(key) ?? []), { ...to, how: from.how }]);
  };
  for (const { model, columns, rows } of lineage.models.values()) {
    for (const [name, origins] of columns)
      for (const origin of origins) add(origin, { table: model, column: name });
    for (const origin of rows) add(origin, { table: model, column: ROWS });
  }
  return trace({ table, column }, (at) => users.get(keyOf(at)) ?? []);
}

const keyOf = ({ table, column }: { readonly table: string; readonly column: string }) =>
  `${table} ${column}`;

function trace(
  root: { readonly table: string; readonly column: string },
  neighbours: (at: { table: string; column: string }, role: TraceNode["role"]) => readonly Origin[],
): TraceNode {
  const expanded = new Set<string>();
  const visit = (
    at: { table: string; column: string },
    ways: readonly How[],
    role: TraceNode["role"],
  ): TraceNode => {
    // Shown once as a value, whatever was shown of it as a condition.
    const repeated = expanded.has(`value ${keyOf(at)}`) || expanded.has(`${role} ${keyOf(at)}`);
    expanded.add(`${role} ${keyOf(at)}`);
    const found = repeated ? [] : grouped(neighbours(at, role));
    const next = found.map(([neighbour, how]) =>
      visit(neighbour, how, role === "value" && how.some(isDirect) ? "value" : "condition"),
    );
    const more = repeated && neighbours(at, role).length > 0;
    return { table: at.table, column: at.column, ways, role, next, repeated: more };
  };
  return visit(root, [], "value");
}

/** Each neighbour once, with all of its ways; those whose values go in first. */
function grouped(origins: readonly Origin[]): [{ table: string; column: string }, How[]][] {
  const groups = new Map<string, [{ table: string; column: string }, How[]]>();
  for (const { table, column, how } of origins) {
    const group = groups.get(keyOf({ table, column })) ?? [{ table, column }, []];
    if (!group[1].includes(how)) group[1].push(how);
    groups.set(keyOf({ table, column }), group);
  }
  const rank = ([{ column }, ways]: [{ column: string }, How[]]) =>
    (ways.some(isDirect) ? 0 : 2) + (column === ROWS ? 1 : 0);
  return [...groups.values()].sort((a, b) => rank(a) - rank(b));
}
