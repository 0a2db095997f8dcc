/** Whether, and as what, a table can be captured. */
import { codeOf, TerminalError } from "../../../lakehouse/errors.ts";
import type { SourceTable } from "../../definition/pipeline.ts";
import type { TableDescription } from "../postgres/catalog.ts";

/**
 * The table as its changes will bring it: without columns that the source computes, which it does not send, and under
 * a key that deletions name. Throws where there are no changes to be had, or they would not say which row they mean.
 */
export function asCaptured(table: TableDescription, wanted: SourceTable): TableDescription {
  const name = `${table.schema}.${table.name}`;
  if (!["r", "p"].includes(table.kind)) {
    throw new TerminalError(`${name} is no table: nothing of its changes is in the WAL`, {
      code: "POSTGRES_NOT_CAPTURED",
      value: name,
      allowed: 'ordinary and partitioned tables; views and foreign tables with `changes: "query"`',
      next: 'Capture the tables behind it, or give it a pipeline of its own with `changes: "query"`.',
    });
  }
  if (table.notInWal.length > 0) throw notInWal(name, table);
  const columns = table.columns.filter((column) => !column.generated);
  const key = keyOf(table, wanted);
  const identity = table.replicaIdentity === "f" ? columns.map((c) => c.name) : table.identityColumns;
  if (key.length === 0) {
    // Without identity only what is appended is published, and there is nothing to tell apart.
    if (identity.length === 0 || table.bringsWholeRows) return { ...table, columns, key };
    throw refused(name, `its changes name ${identity.join(", ")}, and key: "none" asks for whole rows`);
  }
  const missing = key.filter((column) => !identity.includes(column));
  if (missing.length === 0) return { ...table, columns, key };
  const says = identity.length === 0 ? "nothing" : identity.join(", ");
  throw refused(name, `its changes name ${says}, which is not its key (${key.join(", ")})`);
}

/** A declared key, or the one that the table's changes go by. */
function keyOf(table: TableDescription, wanted: SourceTable): readonly string[] {
  return wanted.key === undefined && table.replicaIdentity === "i" ? table.identityColumns : table.key;
}

/** Rows of unlogged and foreign tables are not in the WAL; Postgres says so of some of them, and only of the first. */
function notInWal(name: string, { notInWal: parts }: TableDescription): TerminalError {
  const own = parts.length === 1 && parts[0] === name;
  return new TerminalError(
    own
      ? `${name} is unlogged: nothing of its changes is in the WAL`
      : `${name} has parts of which nothing is in the WAL`,
    {
      code: "POSTGRES_NOT_CAPTURED",
      value: parts.join(", "),
      allowed: "logged tables of this database, with all of their partitions",
      next: `ALTER TABLE … SET LOGGED what is unlogged, detach what is foreign, or give ${name} a pipeline of its own with \`changes: "query"\`.`,
    },
  );
}

/** Whether an error says that a table cannot be captured. */
export const isNotCaptured = (error: unknown): boolean =>
  ["POSTGRES_NOT_CAPTURED", "POSTGRES_REPLICA_IDENTITY"].includes(codeOf(error) ?? "");

function refused(name: string, why: string): TerminalError {
  return new TerminalError(`${name} cannot be captured by its key: ${why}`, {
    code: "POSTGRES_REPLICA_IDENTITY",
    value: name,
    allowed: "a key that is the table's replica identity, or replica identity FULL",
    next: `At the source: ALTER TABLE ${name} REPLICA IDENTITY FULL (or USING INDEX …), or leave \`key\` out of the pipeline.`,
  });
}
