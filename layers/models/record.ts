/** What a model's table remembers of the run that made it: the versions that it read and the SQL that it ran. */

import { z } from "zod";
import type { DomainMetadata, SetTransaction } from "../../lakehouse/delta/actions.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Model } from "./model.ts";

const DOMAIN = "ingot.model";
const recordSchema = z.object({ fingerprint: z.string(), inputs: z.record(z.string(), z.string()) });

/** Whether a model made this table. */
export const isModelTable = (snapshot: Snapshot): boolean => snapshot.domains.has(DOMAIN);

const inputApp = (reference: string) => `ingot.input/${reference}`;

/** Snapshots of the tables that a model reads, by `layer.table`. */
export type Inputs = ReadonlyMap<string, Snapshot>;

/** The actions that record inputs and SQL, to go into the commit of the rows made from them. */
export function recordActions(
  model: Model,
  inputs: Inputs,
  now: number,
): { domains: DomainMetadata[]; transactions: SetTransaction[] } {
  const ids = Object.fromEntries([...inputs].map(([name, snapshot]) => [name, snapshot.metadata.id]));
  const configuration = JSON.stringify({ fingerprint: model.fingerprint, inputs: ids });
  return {
    domains: [{ domain: DOMAIN, configuration, removed: false }],
    transactions: [...inputs].map(([name, snapshot]) => ({
      appId: inputApp(name),
      version: snapshot.version,
      lastUpdated: now,
    })),
  };
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
  const domain = target?.domains.get(DOMAIN);
  if (target === undefined || domain === undefined) return undefined;
  const record = recordSchema.parse(JSON.parse(domain.configuration));
  if (record.fingerprint !== model.fingerprint) return undefined;
  const versions = new Map<string, number>();
  for (const [name, snapshot] of inputs) {
    const version = target.transactions.get(inputApp(name))?.version;
    if (version === undefined || record.inputs[name] !== snapshot.metadata.id) return undefined;
    versions.set(name, version);
  }
  return versions;
}
