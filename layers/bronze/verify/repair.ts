/** Appends what makes bronze agree with the source: rows as they were read, and deletions of rows that are gone. */
import type { DomainMetadata, SetTransaction } from "../../../lakehouse/delta/actions.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import { retrying } from "../../../lakehouse/retry.ts";
import { META, META_COLUMNS, SOURCE_DOMAIN } from "../../definition/bronze-columns.ts";
import { outrun, versionOf } from "../commit-outcome.ts";
import { SOURCE_APP } from "../position.ts";
import type { SourceMoment } from "../postgres/snapshot.ts";
import { type Comparison, KIND } from "./comparison.ts";
import { dropChanged } from "./explain.ts";

/** What the commit of a repair says of the position of its table. */
export interface PositionActions {
  readonly domains: readonly DomainMetadata[];
  readonly transactions: readonly SetTransaction[];
}

export interface Repair {
  /** Version that the repair was decided on: a run that moves the position after it makes this one fail. */
  readonly base: Snapshot;
  /** Place in the order of changes that the rows get. */
  readonly lsn: number;
  readonly moment: Pick<SourceMoment, "at">;
  readonly position: PositionActions;
}

/** Commits the rows of `differences`, all or none. Answers how many they were, and the version. */
export async function repairTable(
  work: Comparison,
  { base, lsn, moment, position }: Repair,
): Promise<{ readonly rows: number; readonly version: number }> {
  const { session, target, columns, task } = work;
  // Columns that bronze got meanwhile are not among those that were read.
  const known = new Set(columns.fields.map(({ name }) => name));
  const values = base.schema.fields
    .filter(({ name }) => !META_COLUMNS.includes(name))
    .map(({ name }) => (known.has(name) ? identifier(name) : `NULL AS ${identifier(name)}`));
  const staged = await target.stage(
    session,
    `SELECT ${values.join(", ")}, CASE ${KIND} WHEN 'extra' THEN 'd' ELSE 'r' END AS ${META.operation}, ${lsn}::BIGINT AS ${META.lsn},
            0::BIGINT AS ${META.sequence}, NULL::BIGINT AS ${META.transaction}, NULL::TIMESTAMPTZ AS ${META.committedAt},
            TIMESTAMPTZ ${literal(moment.at)} AS ${META.ingestedAt}, ${META.rescued}
       FROM differences`,
    base,
  );
  const outcome = await target.write({
    operation: "WRITE",
    parameters: { mode: "Append", ingest: "repair" },
    base,
    schema: base.schema,
    staged,
    reads: "nothing",
    transactions: position.transactions,
    domains: position.domains,
  });
  const version = versionOf(outcome, {
    lost: `another run took changes of ${task} while it was repaired`,
    next: "Nothing of the repair was committed. Run the same command again, one ingestion at a time.",
  });
  return { rows: staged.rows, version };
}

/** A repair of what bronze has by now: others go on taking changes meanwhile. */
export interface RepairOnNewest extends Omit<Repair, "base" | "position"> {
  /** SQL of the changes that came after the comparison's moment, as a version of bronze has them. */
  readonly later: (newest: Snapshot) => Promise<string>;
  readonly position: (newest: Snapshot) => PositionActions;
}

/** What came of it. */
export interface Repaired {
  readonly rows: number;
  /** Differences that were none any more: bronze has these rows as they came later. */
  readonly left: number;
  readonly version: number;
}

/**
 * As `repairTable` on the newest version, without the rows of which it has something later; where another run commits
 * in between, again on what that one made.
 */
export async function repairOnNewest(
  work: Comparison,
  { later, position, ...repair }: RepairOnNewest,
): Promise<Repaired> {
  const { session, target } = work;
  await session.run("CREATE OR REPLACE TABLE all_differences AS FROM differences");
  const [counted] = await session.rows("SELECT count(*) AS rows FROM all_differences");
  const found = Number(counted?.rows);
  const attempt = async () => {
    const base = await target.existingSnapshot();
    if (found === 0) return { rows: 0, left: 0, version: base.version };
    await session.run("CREATE OR REPLACE TABLE differences AS FROM all_differences");
    const left = await dropChanged(work, await later(base));
    if (left === found) return { rows: 0, left, version: base.version };
    return { left, ...(await repairTable(work, { ...repair, base, position: position(base) })) };
  };
  const repaired = await retrying(attempt, { codesOf: outrun });
  await session.run("DROP TABLE all_differences");
  return repaired;
}

/** The position as it is, said again: so that nobody else can have moved it meanwhile. */
export function samePosition(base: Snapshot, now: number): PositionActions {
  const recorded = base.transactions.get(SOURCE_APP)?.version;
  return {
    domains: [],
    transactions: recorded === undefined ? [] : [{ appId: SOURCE_APP, version: recorded, lastUpdated: now }],
  };
}

/** The same moment of the source under a later place in the order of changes, which what comes next lies behind. */
export function raisedPosition(base: Snapshot, lsn: number, now: number): PositionActions {
  const domain = base.domains.get(SOURCE_DOMAIN);
  const recorded = base.transactions.get(SOURCE_APP)?.version ?? 0;
  if (domain === undefined || recorded >= lsn) return samePosition(base, now);
  const configuration = JSON.stringify({ ...JSON.parse(domain.configuration), lsn });
  return {
    domains: [{ domain: SOURCE_DOMAIN, configuration, removed: false }],
    transactions: [{ appId: SOURCE_APP, version: lsn, lastUpdated: now }],
  };
}
