/**
 * Source tables that were dropped, made anew, or given partitions that had rows before they were joined; and partitions
 * that were emptied or written anew by themselves.
 */
import type pg from "pg";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { codeOf, messageOf } from "../../../lakehouse/errors.ts";
import type { Lake } from "../../../lakehouse/lake.ts";
import { SOURCE_DOMAIN } from "../../definition/bronze-columns.ts";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import type { IngestContext } from "../ingestion.ts";
import type { Position } from "../position.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import { isNotCaptured } from "./capturable.ts";
import { readDrift, recordTableChange } from "./drift-record.ts";

/**
 * Looks at a table's relations. Where rows can have come with one that the stream says nothing of, the table is noted
 * as one to compare with the source. Answers the version that knows the relations.
 */
export async function noticeRelations(
  client: pg.Client,
  target: DeltaTable,
  base: Snapshot,
  position: Position,
  table: TableDescription,
): Promise<Snapshot> {
  const joined = table.relations.filter((id) => !position.relations.includes(id));
  const left = position.relations.filter((id) => !table.relations.includes(id));
  const rewritten = isRewritten(position, table);
  const known = position.fileNodes !== undefined || table.relations.length === 1;
  if (joined.length === 0 && left.length === 0 && !rewritten && known) return base;
  const isAnew = joined.includes(String(table.oid));
  const unchecked = left.length > 0 || isAnew || rewritten || (await bringRows(client, joined));
  const domain = JSON.parse(base.domains.get(SOURCE_DOMAIN)?.configuration ?? "{}");
  const fileNodes = table.relations.length > 1 ? table.fileNodes : undefined;
  const configuration = JSON.stringify({ ...domain, relations: table.relations, fileNodes });
  const kind = isAnew ? "made anew" : left.length > 0 ? "left" : rewritten ? "rewritten" : "joined";
  return recordTableChange(target, base, {
    change: unchecked ? { kind, column: "*", effect: "compared with the source" } : undefined,
    unchecked,
    domains: [{ domain: SOURCE_DOMAIN, configuration, removed: false }],
  });
}

/**
 * Whether a part of a table has another file than it had. That of one part being emptied is not published; that its
 * rows were only moved (VACUUM FULL, CLUSTER) cannot be told from it.
 */
function isRewritten({ relations, fileNodes }: Position, table: TableDescription): boolean {
  if (table.relations.length === 1) return false;
  return table.relations.some((id, i) => {
    const before = fileNodes?.[relations.indexOf(id)];
    return before !== undefined && before !== table.fileNodes[i];
  });
}

/**
 * Whether one of these was a table before it became a partition; one that was made as a partition was empty. That is
 * told by its row type, which comes with the table and which attaching leaves alone.
 */
async function bringRows(client: pg.Client, relations: readonly string[]): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_type t ON t.oid = c.reltype LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
       WHERE c.oid = ANY ($1::text[]::oid[]) AND c.relkind = 'r' AND i.xmin IS DISTINCT FROM t.xmin) AS found`,
    [relations],
  );
  return rows[0]?.found === true;
}

/**
 * Tables without which the others are taken, for `describeAll`: those that are gone at the source, whose bronze tables
 * stay as they are unless they are frozen, and those that `discover` found but that cannot be captured.
 */
export function passingOver(context: IngestContext, pipeline: PipelineDefinition) {
  return async (bronze: string, error: unknown): Promise<boolean> => {
    const target = context.lake.table(`${pipeline.name}/bronze/${bronze}`);
    if (codeOf(error) === "POSTGRES_NO_TABLE") return passOverGone(context, pipeline, bronze, target);
    const isNamed = Object.hasOwn(pipeline.source.tables, bronze);
    // Of a table that is in bronze changes would be missing from now on.
    if (isNamed || !isNotCaptured(error) || (await target.snapshot()) !== undefined) return false;
    context.onProgress({ task: `bronze.${bronze}`, state: "skipped", note: `left out: ${messageOf(error)}` });
    return true;
  };
}

async function passOverGone(
  { onProgress }: IngestContext,
  pipeline: PipelineDefinition,
  bronze: string,
  target: DeltaTable,
): Promise<boolean> {
  if (pipeline.source.tables[bronze]?.drift === "freeze") return false;
  const base = await target.snapshot();
  if (base === undefined) return false;
  onProgress({ task: `bronze.${bronze}`, state: "skipped", note: "gone at the source; stays as it was" });
  if (readDrift(base)?.changes.at(-1)?.kind !== "table dropped") {
    const change = { kind: "table dropped", column: "*", effect: "stays as it was" } as const;
    await recordTableChange(target, base, { change, unchecked: false, domains: [] });
  }
  return true;
}

/** Notes that changes of a table were not published for a while: it is compared with the source. */
export async function noticeUnpublished(
  lake: Lake,
  pipeline: PipelineDefinition,
  table: TableDescription,
): Promise<void> {
  const target = lake.table(`${pipeline.name}/bronze/${table.bronze}`);
  const base = await target.existingSnapshot();
  const change = { kind: "published", column: "*", effect: "compared with the source" } as const;
  await recordTableChange(target, base, { change, unchecked: true, domains: [] });
}
