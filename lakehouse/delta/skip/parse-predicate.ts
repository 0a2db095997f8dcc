/** Conditions of SQL as predicates that data skipping understands. */
import type { DuckDb } from "../../duckdb/duckdb.ts";
import type { StructType } from "../schema.ts";
import { comparisonTarget } from "./comparison-type.ts";
import { type ComparisonOperator, not, type Predicate, UNKNOWN } from "./predicate.ts";
import { computeLiterals, readLiteral, type SqlLiteral, type Target, type Wanted } from "./sql-literal.ts";
import { findNames, type SqlNames } from "./sql-names.ts";
import { asNode, childrenOf, parseCondition, type SqlNode } from "./sql-tree.ts";
import { findColumn, type ResolvedColumn } from "./table-info.ts";
import type { Value } from "./value.ts";

export interface ParsedPredicate extends SqlNames {
  readonly predicate: Predicate;
  /** The condition in parentheses, which it cannot leave: safe to put into other SQL. */
  readonly sql: string;
}

/**
 * Parses one boolean expression in DuckDB's dialect over the columns of `schema`. What is not understood becomes
 * `unknown`, for its branch only. A name with dots is taken for a column and its fields, not for a column of a
 * table: give the relation that the condition is put to a name that no column has.
 *
 * @throws TerminalError DELTA_BAD_PREDICATE where the text is not exactly one expression.
 */
export async function parsePredicate(
  duckdb: DuckDb,
  sql: string,
  schema: StructType,
): Promise<ParsedPredicate> {
  const tree = await parseCondition(duckdb, sql);
  const names = await findNames(duckdb, tree, schema);
  const translation = new Translation(schema);
  const build = translation.condition(tree);
  const values = await computeLiterals(duckdb, translation.wanted);
  return { ...names, predicate: build(values), sql: `(\n${sql}\n)` };
}

type Values = readonly (Value | null | undefined)[];
/** Gives the predicate once DuckDB has computed the literals. */
type Build = (values: Values) => Predicate;

const unknown: Build = () => UNKNOWN;

const OPERATORS: Readonly<Record<string, readonly [ComparisonOperator, ComparisonOperator]>> = {
  COMPARE_EQUAL: ["=", "="],
  COMPARE_NOTEQUAL: ["<>", "<>"],
  COMPARE_LESSTHAN: ["<", ">"],
  COMPARE_LESSTHANOREQUALTO: ["<=", ">="],
  COMPARE_GREATERTHAN: [">", "<"],
  COMPARE_GREATERTHANOREQUALTO: [">=", "<="],
};
const PREFIX_FUNCTIONS = new Set(["prefix", "starts_with", "^@"]);

/** One walk over a tree, which gathers the literals to compute. */
class Translation {
  readonly wanted: Wanted[] = [];
  private readonly schema: StructType;

  constructor(schema: StructType) {
    this.schema = schema;
  }

  condition(node: SqlNode | undefined): Build {
    switch (node?.class) {
      case "CONJUNCTION":
        return this.conjunction(node);
      case "COMPARISON":
        return this.comparison(node);
      case "BETWEEN":
        return this.between(node);
      case "OPERATOR":
        return this.operator(node);
      case "FUNCTION":
        return this.call(node);
      case "COLUMN_REF":
        return this.booleanColumn(node);
      case "CONSTANT":
      case "CAST":
        return this.constant(node);
      default:
        return unknown;
    }
  }

  private conjunction(node: SqlNode): Build {
    const kind = node.type === "CONJUNCTION_AND" ? "and" : "or";
    const children = childrenOf(node).map((child) => this.condition(child));
    return (values) => ({ kind, children: children.map((build) => build(values)) });
  }

  private comparison(node: SqlNode): Build {
    const [left, right] = [asNode(node.left), asNode(node.right)];
    const direct = this.column(left);
    const column = direct ?? this.column(right);
    const value = this.literals(column, [direct ? right : left]);
    if (column === undefined || value === undefined) return unknown;
    const { path } = column;
    const operators = OPERATORS[node.type];
    if (operators !== undefined) {
      const operator = operators[direct ? 0 : 1];
      return value(([v]) => ({ kind: "comparison", column: path, operator, value: v ?? null }));
    }
    if (node.type === "COMPARE_DISTINCT_FROM") {
      return value(([v]) => ({ kind: "isDistinct", column: path, value: v ?? null }));
    }
    if (node.type === "COMPARE_NOT_DISTINCT_FROM") {
      return value(([v]) => not({ kind: "isDistinct", column: path, value: v ?? null }));
    }
    return unknown;
  }

  private between(node: SqlNode): Build {
    const column = this.column(asNode(node.input));
    const values = this.literals(column, [asNode(node.lower), asNode(node.upper)]);
    if (column === undefined || values === undefined || node.type !== "COMPARE_BETWEEN") return unknown;
    return values(([lower = null, upper = null]) => ({
      kind: "and",
      children: [
        { kind: "comparison", column: column.path, operator: ">=", value: lower },
        { kind: "comparison", column: column.path, operator: "<=", value: upper },
      ],
    }));
  }

  private operator(node: SqlNode): Build {
    const [first, ...others] = childrenOf(node);
    if (node.type === "OPERATOR_NOT") {
      const child = this.condition(first);
      return (values) => not(child(values));
    }
    const column = this.column(first);
    if (column === undefined) return unknown;
    const { path } = column;
    const isNull: Predicate = { kind: "isNull", column: path };
    if (node.type === "OPERATOR_IS_NULL") return () => isNull;
    if (node.type === "OPERATOR_IS_NOT_NULL") return () => not(isNull);
    if (node.type !== "COMPARE_IN" && node.type !== "COMPARE_NOT_IN") return this.booleanColumn(node);
    const list = this.literals(column, others);
    if (list === undefined) return unknown;
    return list((values) => {
      const contained: Predicate = { kind: "in", column: path, values };
      return node.type === "COMPARE_IN" ? contained : not(contained);
    });
  }

  private call(node: SqlNode): Build {
    const [subject, pattern] = childrenOf(node);
    const column = this.column(subject);
    const text = pattern?.class === "CONSTANT" ? this.literals(column, [pattern]) : undefined;
    if (column?.type !== "string" || text === undefined || childrenOf(node).length !== 2) return unknown;
    const matching = (toPredicate: (text: string) => Predicate) =>
      text(([v]) => (v?.kind === "text" ? toPredicate(v.value) : { kind: "constant", value: null }));
    const name = String(node.function_name).toLowerCase();
    if (PREFIX_FUNCTIONS.has(name))
      return matching((p) => ({ kind: "startsWith", column: column.path, prefix: p }));
    if (name === "~~") return matching((p) => like(column, p));
    return name === "!~~" ? matching((p) => not(like(column, p))) : unknown;
  }

  private booleanColumn(node: SqlNode): Build {
    const column = this.column(node);
    if (column?.type !== "boolean") return unknown;
    const value: Value = { kind: "boolean", value: true };
    return () => ({ kind: "comparison", column: column.path, operator: "=", value });
  }

  private constant(node: SqlNode): Build {
    const found = readLiteral(node);
    if (found === undefined || !["BOOLEAN", "NULL"].includes(found.type)) return this.booleanColumn(node);
    const at = this.want(found, "boolean");
    return (values) => {
      const value = values[at];
      if (value === null) return { kind: "constant", value };
      return value?.kind === "boolean" ? { kind: "constant", value: value.value } : UNKNOWN;
    };
  }

  /** The column of a reference, of a field taken from one, or of a cast that changes nothing. */
  private column(node: SqlNode | undefined): ResolvedColumn | undefined {
    if (node?.class === "CAST") {
      const column = this.column(asNode(node.child));
      const cast = node.cast_type as { readonly id?: unknown };
      return column?.type === "boolean" && cast.id === "BOOLEAN" ? column : undefined;
    }
    const names = node && referenceNames(node);
    return names && findColumn(this.schema, names);
  }

  /**
   * Registers the literals that a column is compared with. Gives a function that makes a build of them: `unknown`
   * where DuckDB finds one that it cannot cast.
   */
  private literals(column: ResolvedColumn | undefined, nodes: readonly (SqlNode | undefined)[]) {
    const found = nodes.map((node) => node && readLiteral(node));
    const read = found.filter((l) => l !== undefined);
    const target = column && comparisonTarget(column.type, read);
    if (target === undefined || read.length !== found.length) return undefined;
    const places = read.map((l) => this.want(l, target));
    return (toPredicate: (values: readonly (Value | null)[]) => Predicate): Build =>
      (values) => {
        const computed = places.map((at) => values[at]).filter((v) => v !== undefined);
        return computed.length === places.length ? toPredicate(computed) : UNKNOWN;
      };
  }

  private want(found: SqlLiteral, target: Target): number {
    return this.wanted.push({ literal: found, target }) - 1;
  }
}

const EXTRACTS = new Set(["STRUCT_EXTRACT", "ARRAY_EXTRACT"]);

/** `a.b`, `(a).b` and `a['b']` as names. */
function referenceNames(node: SqlNode): readonly string[] | undefined {
  if (node.class === "COLUMN_REF")
    return Array.isArray(node.column_names) ? node.column_names.map(String) : undefined;
  if (node.class !== "OPERATOR" || !EXTRACTS.has(node.type)) return undefined;
  const [from, key] = childrenOf(node);
  const names = from && referenceNames(from);
  const name = key && readLiteral(key);
  return names && name?.constant?.kind === "text" ? [...names, name.constant.value] : undefined;
}

/** LIKE without an escape character: what stands before the first wildcard is a prefix of every match. */
function like(column: ResolvedColumn, pattern: string): Predicate {
  const wildcard = pattern.search(/[%_]/);
  if (wildcard < 0) {
    return {
      kind: "comparison",
      column: column.path,
      operator: "=",
      value: { kind: "text", value: pattern },
    };
  }
  const prefix: Predicate = { kind: "startsWith", column: column.path, prefix: pattern.slice(0, wildcard) };
  return pattern.slice(wildcard) === "%" ? prefix : { kind: "and", children: [prefix, UNKNOWN] };
}
