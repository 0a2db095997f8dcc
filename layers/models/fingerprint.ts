/** By what a model is known: whether the rows of its table are still those that it makes, and what of it changed if not. */
import { createHash } from "node:crypto";
import { duckdbType, type StructField } from "../../lakehouse/delta/schema.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { syntaxTreeJson } from "../../lakehouse/duckdb/syntax-tree.ts";
import type { Columns } from "../../schemas/table.ts";
import type { CompiledContract } from "../contract/rule.ts";
import type { ModelDefinition } from "../definition/model.ts";
import { contractSchema } from "./contract.ts";
import type { Model } from "./planned-model.ts";

/** Changes with the way in which tables are kept, so that those of former ways are made anew. */
const LAYOUT = 3;

/** Digests of what decides the rows of a table, part by part. */
type ModelParts = Readonly<Record<string, string>>;

/** What a table remembers of the model that made it. */
interface MadeBy {
  readonly fingerprint: string;
  readonly parts?: ModelParts | undefined;
}

/** The fingerprint of a model's text and contract, and its parts. How much may break, and what is asserted after, decides no row. */
export async function identityOf(
  duckdb: DuckDb,
  sql: string,
  definition: ModelDefinition,
  rules: CompiledContract,
): Promise<Pick<Model, "fingerprint" | "parts">> {
  const { contract, quarantine: _, audits: _audits, input, ...options } = definition;
  const columns = typesOf(contract.columns);
  const { key, partitionBy } = contract;
  const taken = input === undefined ? [] : [typesOf(input)];
  const decides = [LAYOUT, sql, columns, key, partitionBy, options, rules.fingerprint, ...taken];
  const { kind, ...others } = options;
  const parts = {
    layout: String(LAYOUT),
    // What stands in comments, and where lines break, is not in the tree.
    sql: short((await syntaxTreeJson(duckdb, sql)).replace(/"query_location":\d+/g, "")),
    columns: short(columns),
    key: key.join(", "),
    partitions: partitionBy.join(", "),
    rules: rules.fingerprint,
    kind,
    ...(input === undefined ? {} : { input: short(typesOf(input)) }),
    ...Object.fromEntries(
      Object.entries(others).flatMap(([name, value]) =>
        value === undefined ? [] : [[`option ${name}`, short(value)]],
      ),
    ),
  };
  return { fingerprint: digest(decides), parts };
}

const typesOf = (columns: Columns) => Object.entries(columns).map(([name, { type }]) => [name, type]);

const digest = (value: unknown): string =>
  createHash("sha256")
    .update(JSON.stringify(value, (_, part) => (typeof part === "function" ? String(part) : part)))
    .digest("hex");
const short = (value: unknown): string => digest(value).slice(0, 16);

/** Parts as people call them. */
const NAMES: Readonly<Record<string, string>> = {
  layout: "the way in which tables are kept",
  sql: "its SQL",
  key: "the key of its contract",
  partitions: "the partitions of its contract",
  kind: "its kind",
  rules: "the rules of its contract",
  input: "its input",
};

/**
 * What changed of a model since its table was made, in words; undefined where nothing did that decides its rows.
 * `columns`: those of the table.
 */
export function changeOf(model: Model, madeBy: MadeBy, columns: readonly StructField[]): string | undefined {
  if (madeBy.fingerprint === model.fingerprint) return undefined;
  const { parts } = madeBy;
  if (parts === undefined) return "its SQL, kind or contract changed";
  const names = new Set([...Object.keys(parts), ...Object.keys(model.parts)]);
  const changed = [...names].filter((name) => parts[name] !== model.parts[name]);
  if (changed.length === 0) return undefined;
  const said = changed.map((name) =>
    name === "columns" ? columnsText(model, columns) : (NAMES[name] ?? `its ${name}`),
  );
  const again = changed.join() === "rules" ? ": each row is held against them again" : "";
  return `${listed(said)} changed${again}`;
}

/** Which columns of the contract are other ones than the table has. */
function columnsText(model: Model, columns: readonly StructField[]): string {
  const former = new Map(columns.map((f) => [f.name, duckdbType(f.type)]));
  const now = new Map(contractSchema(model.contract).fields.map((f) => [f.name, duckdbType(f.type)]));
  const differences = [
    ...[...now].flatMap(([name, type]) => {
      const before = former.get(name);
      if (before === undefined) return `${name} is new`;
      return before === type ? [] : `${name} is ${type}, was ${before}`;
    }),
    ...[...former.keys()].flatMap((name) => (now.has(name) ? [] : `${name} is gone`)),
  ];
  return `the columns of its contract${differences.length === 0 ? "" : ` (${differences.join("; ")})`}`;
}

const listed = (parts: readonly string[]) =>
  parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
