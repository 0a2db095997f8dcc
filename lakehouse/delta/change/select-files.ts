/** Which files an operation with a condition has to look at, and what it thereby depends on. */
import type { DuckDb } from "../../duckdb/duckdb.ts";
import { TerminalError } from "../../errors.ts";
import { type AddFile, canonicalPath } from "../actions.ts";
import type { Reads } from "../conflict.ts";
import { checkNames } from "../evolve.ts";
import { tableInfo } from "../layout.ts";
import { allMatch, mayMatch } from "../skip/evaluate.ts";
import { parsePredicate } from "../skip/parse-predicate.ts";
import type { Predicate } from "../skip/predicate.ts";
import { pruneFiles } from "../skip/prune.ts";
import type { Snapshot } from "../snapshot.ts";

export interface Selection {
  /** Files that may hold rows of the condition, whole ones aside. */
  readonly files: readonly AddFile[];
  /** Files of which every row certainly fulfils it. */
  readonly whole: readonly AddFile[];
  readonly reads: Reads;
}

/** Everything: an operation without condition. */
export function selectAll(base: Snapshot): Selection {
  checkNames(base.schema.fields.map((f) => f.name));
  return { files: [], whole: [...base.files.values()], reads: "table" };
}

/**
 * The files for a condition in SQL over the table's columns. Rejects text that is no single expression, and
 * expressions that give another answer each time.
 */
export async function selectFiles(duckdb: DuckDb, base: Snapshot, where: string): Promise<Selection> {
  const parsed = await parsePredicate(duckdb, where, base.schema);
  if (parsed.unresolved.length > 0) {
    throw new TerminalError(
      `the condition names what the table does not have: ${parsed.unresolved.join(", ")}`,
      {
        code: "DELTA_BAD_PREDICATE",
        value: where,
        allowed: base.schema.fields.map((f) => f.name).join(", "),
        next: "Correct the names; texts stand in single quotes.",
      },
    );
  }
  if (!parsed.isDeterministic || !parsed.isRowwise) {
    throw new TerminalError("a condition must follow from one row of the table alone", {
      code: "DELTA_BAD_PREDICATE",
      value: where,
      allowed: "an expression without sub-queries, aggregates, random() or the current time",
      next: "Compute the value first and write it into the condition.",
    });
  }
  return select(base, parsed.predicate);
}

/** The files for a condition that the kernel understood as far as it goes. */
export function select(base: Snapshot, predicate: Predicate): Selection {
  checkNames(base.schema.fields.map((f) => f.name));
  const info = tableInfo(base);
  const { kept } = pruneFiles(base.files.values(), predicate, info);
  const whole = kept.filter((file) => allMatch(predicate, file, info));
  const isWhole = new Set(whole);
  return {
    files: kept.filter((file) => !isWhole.has(file)),
    whole,
    reads: {
      files: new Set(kept.map((file) => canonicalPath(file.path))),
      concerns: (file) => mayMatch(predicate, file, info),
    },
  };
}
