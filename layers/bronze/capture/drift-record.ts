/** The record of a source table's columns and of their changes, kept in the bronze table itself. */
import { z } from "zod";
import type { Action, DomainMetadata, Metadata } from "../../../lakehouse/delta/actions.ts";
import { alterColumns } from "../../../lakehouse/delta/alter-columns.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import { versionOf } from "../commit-outcome.ts";
import type { ColumnMapping } from "../postgres/types.ts";
import type { DriftChange, DriftPlan, SourceColumn } from "./drift.ts";

const DOMAIN = "ingot.columns";
/** Changes that are remembered; older ones are in the table's history. */
const REMEMBERED = 100;

const recordSchema = z.object({
  /** The change may have touched rows without a word in the WAL; the table was not compared with the source since. */
  unchecked: z.boolean().default(false),
  columns: z.array(z.object({ name: z.string(), type: z.string(), attnum: z.number().optional() })),
  changes: z.array(
    z.object({
      kind: z.enum([
        "added",
        "dropped",
        "retyped",
        "renamed",
        "made anew",
        "joined",
        "left",
        "rewritten",
        "published",
        "table dropped",
      ]),
      column: z.string(),
      from: z.string().optional(),
      to: z.string().optional(),
      effect: z.string(),
      policy: z.string(),
      at: z.string(),
    }),
  ),
});
export type DriftRecord = z.infer<typeof recordSchema>;

/** What is known of the source's columns and their changes, oldest first; undefined where nothing changed so far. */
export function readDrift(snapshot: Snapshot): DriftRecord | undefined {
  const domain = snapshot.domains.get(DOMAIN);
  return domain === undefined ? undefined : recordSchema.parse(JSON.parse(domain.configuration));
}

/** Refuses what a frozen table's source has become. */
export function refuseDrift(table: string, changes: readonly DriftChange[]): void {
  if (changes.length === 0) return;
  throw new TerminalError(`the columns of ${table} changed, and its bronze table is frozen`, {
    code: "SOURCE_SCHEMA_CHANGED",
    value: changes.map(describeChange).join(", "),
    allowed: "the columns that it was loaded with",
    next: 'Change the source back, or set `drift: "evolve"` or "quarantine" for the table. Nothing was taken.',
  });
}

function describeChange({ kind, column, from, to }: DriftChange): string {
  if (kind === "added") return `${column} ${to} added`;
  if (kind === "dropped") return `${column} dropped`;
  return kind === "renamed" ? `${from} renamed to ${to}` : `${column} ${from} became ${to}`;
}

/** Brings bronze's columns to what the plan asks for and writes the changes down; one commit, or none. */
export async function applyDrift(
  target: DeltaTable,
  base: Snapshot,
  plan: DriftPlan,
  columns: readonly ColumnMapping[],
  policy: string,
): Promise<Snapshot> {
  if (plan.changes.length === 0 && plan.alterations.length === 0) return base;
  const at = new Date(target.now()).toISOString();
  const former = readDrift(base);
  const record: DriftRecord = {
    unchecked: former?.unchecked === true || plan.rewrites,
    columns: columns.map(
      ({ name, sourceType, attnum }): SourceColumn => ({
        name,
        type: sourceType,
        ...(attnum === undefined ? {} : { attnum }),
      }),
    ) as DriftRecord["columns"],
    changes: [...(former?.changes ?? []), ...plan.changes.map((change) => ({ ...change, policy, at }))].slice(
      -REMEMBERED,
    ),
  };
  const metadata = altered(base, plan);
  const actions: Action[] = metadata === base.metadata ? [] : [{ metaData: metadata }];
  const version = await commitRecord(target, base, record, actions, plan.changes.map(describeChange));
  return target.existingSnapshot(version);
}

/** A change of a source table as a whole, with what its commit carries beside the record of it. */
export interface TableChange {
  readonly change: Pick<DriftRecord["changes"][number], "kind" | "column" | "effect"> | undefined;
  readonly unchecked: boolean;
  readonly domains: readonly DomainMetadata[];
}

/** Writes a change of the table as a whole down. */
export async function recordTableChange(
  target: DeltaTable,
  base: Snapshot,
  { change, unchecked, domains }: TableChange,
): Promise<Snapshot> {
  const former = readDrift(base);
  const at = new Date(target.now()).toISOString();
  const changes = [...(former?.changes ?? []), ...(change ? [{ ...change, policy: "evolve", at }] : [])];
  const record = {
    unchecked: former?.unchecked === true || unchecked,
    columns: former?.columns ?? [],
    changes: changes.slice(-REMEMBERED),
  };
  const actions = domains.map((domainMetadata) => ({ domainMetadata }));
  const said = change === undefined ? [] : [`table ${change.kind}`];
  return target.existingSnapshot(await commitRecord(target, base, record, actions, said));
}

/** Notes that the table was compared with its source after its columns changed. */
export async function markChecked(target: DeltaTable): Promise<void> {
  const base = await target.existingSnapshot();
  const record = readDrift(base);
  if (record?.unchecked) await commitRecord(target, base, { ...record, unchecked: false }, [], []);
}

async function commitRecord(
  target: DeltaTable,
  base: Snapshot,
  record: DriftRecord,
  actions: readonly Action[],
  changes: readonly string[],
): Promise<number> {
  const domain = { domain: DOMAIN, configuration: JSON.stringify(record), removed: false };
  const outcome = await target.commit({
    base,
    operation: "CHANGE COLUMNS",
    operationParameters: { changes },
    actions: [...actions, { domainMetadata: domain }],
    reads: "nothing",
  });
  return versionOf(outcome, {
    lost: `${target.store.root} was changed by another run at the same time`,
    next: "Run the same command again, one ingestion at a time.",
  });
}

function altered(base: Snapshot, { alterations }: DriftPlan): Metadata {
  let { metadata, schema } = base;
  if (alterations.some((alteration) => "widenColumn" in alteration)) {
    const configuration = { ...metadata.configuration, "delta.enableTypeWidening": "true" };
    metadata = { ...metadata, configuration };
  }
  for (const alteration of alterations) ({ metadata, schema } = alterColumns(metadata, schema, alteration));
  return alterations.length === 0 ? base.metadata : { ...metadata, schemaString: JSON.stringify(schema) };
}
