/** What a model's table remembers of the run that made it: the versions that it read and the SQL that it ran. */

import { z } from "zod";
import type { Action } from "../../lakehouse/delta/actions.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { changeOf } from "./fingerprint.ts";
import type { Model } from "./planned-model.ts";

const DOMAIN = "ingot.model";
const inputSchema = z.object({ id: z.string(), version: z.number() });
const auditSchema = z.object({ passed: z.boolean(), table: inputSchema.optional() });
const recordSchema = z.object({
  fingerprint: z.string(),
  parts: z.record(z.string(), z.string()).optional(),
  inputs: z.record(z.string(), inputSchema),
  audits: z.record(z.string(), auditSchema).optional(),
});

/** By id of an audit: whether the whole table passed it, and which version of another table it was held against. */
export type AuditRecord = Readonly<Record<string, z.infer<typeof auditSchema>>>;

/** What was run, and which version of which table, by `layer.table`, was read for it. */
export type ModelRecord = z.infer<typeof recordSchema>;

/** What the table of a model remembers; undefined for other tables. */
export function recordOf(snapshot: Snapshot): ModelRecord | undefined {
  const domain = snapshot.domains.get(DOMAIN);
  return domain && recordSchema.safeParse(JSON.parse(domain.configuration)).data;
}

/** What a table remembers of its audits. */
export const recordedAudits = (snapshot: Snapshot): AuditRecord => recordOf(snapshot)?.audits ?? {};

/** Whether a model made this table. */
export const isModelTable = (snapshot: Snapshot): boolean => snapshot.domains.has(DOMAIN);

const inputApp = (reference: string) => `ingot.input/${reference}`;

/** Snapshots of the tables that a model reads, by `layer.table`. */
export type Inputs = ReadonlyMap<string, Snapshot>;

/** The actions that record inputs and SQL, to go into the commit of the rows made from them. */
export function recordActions(
  model: Model,
  inputs: Inputs,
  base: Snapshot | undefined,
  now: number,
  audits: AuditRecord,
): Action[] {
  const read = [...inputs].map(
    ([name, { metadata, version }]) => [name, { id: metadata.id, version }] as const,
  );
  const { fingerprint, parts } = model;
  const record = { fingerprint, parts, inputs: Object.fromEntries(read), audits };
  const configuration = JSON.stringify(record satisfies z.infer<typeof recordSchema>);
  return [
    { domainMetadata: { domain: DOMAIN, configuration, removed: false } },
    // For readers of the log. The version of an application never goes back, that of a table made anew does.
    ...read.flatMap(([name, { version }]) => {
      const appId = inputApp(name);
      const recorded = base?.transactions.get(appId)?.version ?? -1;
      return version < recorded ? [] : [{ txn: { appId, version, lastUpdated: now } }];
    }),
  ];
}

/**
 * Versions of the inputs that the table has taken in, by reference. Undefined where it has to be made anew: it
 * does not exist, its SQL or contract changed, or an input is another table than it was.
 */
export function consumedVersions(
  target: Snapshot | undefined,
  model: Model,
  inputs: Inputs,
): ReadonlyMap<string, number> | undefined {
  const found = consumption(target, model, inputs);
  return "reason" in found ? undefined : found.versions;
}

/** As `consumedVersions`, with the reason for which a table has to be made anew. */
export function consumption(
  target: Snapshot | undefined,
  model: Model,
  inputs: Inputs,
): { readonly versions: ReadonlyMap<string, number> } | { readonly reason: string } {
  if (target === undefined) return { reason: "its table does not exist" };
  const record = recordOf(target);
  if (record === undefined) return { reason: "what made its table is not known" };
  const change = changeOf(model, record, target.schema.fields);
  if (change !== undefined) return { reason: change };
  const versions = new Map<string, number>();
  for (const [name, snapshot] of inputs) {
    const input = record.inputs[name];
    if (input?.id !== snapshot.metadata.id) return { reason: `${name} is another table than it was` };
    versions.set(name, input.version);
  }
  return { versions };
}
