/** Checks that read all rows: statistics that lie, and constraints that do not hold. */
import type { DuckDb, Session } from "../../../duckdb/duckdb.ts";
import { identifier, literal } from "../../../duckdb/quote.ts";
import { ignoreProgress, type ProgressListener } from "../../../progress.ts";
import type { AddFile } from "../../actions.ts";
import { FILE } from "../../change/workspace.ts";
import { checkRules, rulesOf } from "../../constraints.ts";
import { dataFields, layoutOf, tableInfo } from "../../layout.ts";
import { scannable, scanSql } from "../../scan.ts";
import type { StructField } from "../../schema.ts";
import { mayMatch } from "../../skip/evaluate.ts";
import { decodePartitionValue } from "../../skip/partition-value.ts";
import { not, type Predicate } from "../../skip/predicate.ts";
import type { Value } from "../../skip/value.ts";
import type { Snapshot } from "../../snapshot.ts";
import { rowCount } from "../../stats.ts";
import type { DeltaTable } from "../../table.ts";
import { type Finding, fromError, someOf } from "./finding.ts";

/** Files that one statement reads. */
const BATCH = 32;
/** Types whose values come out of DuckDB as the log writes partition values. */
const COMPARED =
  /^(?:byte|short|integer|long|float|double|date|boolean|string|timestamp|timestamp_ntz|decimal\(.*\))$/;

/** Reads every row, some files at a time. */
export async function checkRows(
  table: DeltaTable,
  snapshot: Snapshot,
  onProgress: ProgressListener = ignoreProgress,
): Promise<Finding[]> {
  const session = await table.duckdb.session();
  try {
    const rules = await usableRules(table.duckdb, snapshot);
    const lies: string[] = [];
    const broken = new Map<string, number>();
    const files = [...snapshot.files.values()];
    for (let at = 0; at < files.length; at += BATCH) {
      onProgress({ task: "check", state: "running", note: `rows of ${at} of ${files.length} files` });
      const batch = files.slice(at, at + BATCH);
      lies.push(...(await batchLies(table, session, snapshot, batch)));
      for (const [name, count] of await brokenRules(table, session, snapshot, batch, rules.rules)) {
        broken.set(name, (broken.get(name) ?? 0) + count);
      }
    }
    return [
      ...rules.findings,
      ...liesFinding(lies),
      ...[...broken].flatMap(([name, rows]) => brokenFinding(name, rows)),
    ];
  } finally {
    await session.close();
  }
}

function liesFinding(lies: readonly string[]): Finding[] {
  if (lies.length === 0) return [];
  return [
    {
      severity: "error",
      code: "statistics-wrong",
      message: "statistics do not fit the rows: queries may leave out rows that they should find",
      value: someOf(lies),
      next: "Overwrite the rows of these files: files that are written anew get right statistics.",
    },
  ];
}

function brokenFinding(name: string, rows: number): Finding[] {
  if (rows === 0) return [];
  return [
    {
      severity: "error",
      code: "constraint-broken",
      message: `a constraint does not hold for every row: ${rows} break it`,
      value: name,
      next: "Correct or delete these rows, or drop the constraint.",
    },
  ];
}

async function usableRules(duckdb: DuckDb, { metadata, schema }: Snapshot) {
  const rules: ReturnType<typeof rulesOf> = [];
  const findings: Finding[] = [];
  for (const rule of rulesOf(metadata, schema)) {
    try {
      await checkRules(duckdb, [rule], schema);
      rules.push(rule);
    } catch (error) {
      findings.push({ ...fromError("constraint-unknown", error), severity: "warning" });
    }
  }
  return { rules, findings };
}

async function brokenRules(
  table: DeltaTable,
  session: Session,
  snapshot: Snapshot,
  files: readonly AddFile[],
  rules: ReturnType<typeof rulesOf>,
): Promise<Map<string, number>> {
  if (rules.length === 0) return new Map();
  const counts = rules.map((rule, i) => `count(*) FILTER (WHERE (${rule.sql}) IS NOT TRUE)::DOUBLE AS c${i}`);
  const sql = await scanSql(table.store, { ...scannable(snapshot), files });
  const [row] = await session.rows(`SELECT ${counts.join(", ")} FROM (${sql})`);
  return new Map(rules.map((rule, i) => [rule.name, Number(row?.[`c${i}`] ?? 0)]));
}

/** What is wrong with the statistics of some files, judged as data skipping would use them. */
async function batchLies(
  table: DeltaTable,
  session: Session,
  snapshot: Snapshot,
  files: readonly AddFile[],
): Promise<string[]> {
  const layout = layoutOf(snapshot.metadata, snapshot.schema);
  const info = tableInfo(snapshot);
  const columns = dataFields(layout).filter((f) => typeof f.type === "string" && COMPARED.test(f.type));
  // Statistics are of all rows in the file, deleted ones as well.
  const whole = files.map(({ deletionVector: _vector, ...file }) => file);
  const scan = await scanSql(table.store, { ...scannable(snapshot), files: whole }, { fileIndex: FILE });
  const facts = columns.map((f, i) => {
    const name = identifier(f.name);
    return `count(*) FILTER (WHERE ${name} IS NULL)::DOUBLE AS n${i}, ${textSql(`min(${name})`, f)} AS lo${i}, ${textSql(`max(${name})`, f)} AS hi${i}`;
  });
  const rows = await session.rows(
    `SELECT ${[`${FILE}::DOUBLE AS file`, "count(*)::DOUBLE AS n", ...facts].join(", ")} FROM (${scan}) GROUP BY ${FILE}`,
  );
  const byFile = new Map(rows.map((row) => [Number(row.file), row]));
  return files.flatMap((file, i) => {
    const row = byFile.get(i) ?? {};
    const said = rowCount(file);
    const held = Number(row.n ?? 0);
    if (said !== undefined && said !== held) return [`${file.path} holds ${held} rows, not ${said}`];
    return columns.flatMap((f, c) => {
      const hides = (predicate: Predicate) => held > 0 && !mayMatch(predicate, file, info);
      const nulls = Number(row[`n${c}`] ?? 0);
      const path = [f.name];
      const isNull: Predicate = { kind: "isNull", column: path };
      if ((nulls > 0 && hides(isNull)) || (nulls < held && hides(not(isNull)))) {
        return [`nulls of ${f.name} in ${file.path}: there are ${nulls} of ${held}`];
      }
      return (["lo", "hi"] as const).flatMap((end) => {
        const text = row[`${end}${c}`];
        const value = typeof text === "string" ? boundValue(text, f) : undefined;
        return value !== undefined && hides({ kind: "comparison", column: path, operator: "=", value })
          ? [`bounds of ${f.name} in ${file.path} leave out ${literal(String(text))}`]
          : [];
      });
    });
  });
}

function textSql(expression: string, { type }: StructField): string {
  return type === "timestamp" || type === "timestamp_ntz"
    ? `strftime(${expression}, '%Y-%m-%d %H:%M:%S.%f')`
    : `${expression}::VARCHAR`;
}

function boundValue(text: string, { type }: StructField): Value | undefined {
  return typeof type === "string" ? (decodePartitionValue(text, type) ?? undefined) : undefined;
}
