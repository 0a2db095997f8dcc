/** Finds where SQL statements end: at a `;` outside of strings, names and comments. DuckDB's lexical rules. */

interface Token {
  readonly kind: "code" | "string" | "comment" | "end";
  readonly text: string;
  /** The text ended before the string or comment did. */
  readonly open: boolean;
}

export interface SplitSql {
  /** Whole statements, without their `;`. */
  readonly statements: readonly string[];
  /** What follows the last `;`; empty where that is only space and comments. */
  readonly rest: string;
}

/** Whole statements and what is not yet one. */
export function splitStatements(sql: string): SplitSql {
  const statements: string[] = [];
  let current = "";
  let meaningful = false;
  let open = false;
  for (const token of scan(sql)) {
    if (token.kind === "end") {
      if (meaningful) statements.push(current.trim());
      current = "";
      meaningful = false;
      continue;
    }
    current += token.text;
    open = token.open;
    if (token.kind === "string" || (token.kind === "code" && token.text.trim() !== "")) meaningful = true;
  }
  return { statements, rest: meaningful || open ? current : "" };
}

/**
 * Statements on one line, for a history of lines; undefined where a string spans lines and must not be changed.
 */
export function onOneLine(sql: string): string | undefined {
  let line = "";
  for (const token of scan(sql.trim())) {
    if (token.kind === "string" && token.text.includes("\n")) return undefined;
    // A comment to the end of its line would swallow what follows on the joined line.
    const ends = token.text.startsWith("--") && token.kind === "comment";
    if (ends && token.text.includes("*/")) continue;
    const text = ends ? `/*${token.text.slice(2)} */` : token.text;
    line += token.kind === "string" ? text : text.replace(/\s*\n\s*/g, " ");
  }
  return line;
}

function* scan(sql: string): Generator<Token> {
  let at = 0;
  let before = "";
  while (at < sql.length) {
    const token = tokenAt(sql, at, before);
    yield token;
    at += token.text.length;
    before = token.text;
  }
}

const DOLLAR = /\$(?:[A-Za-z_]\w*)?\$/y;
const CODE = /[^'"$;/-]+/y;

function tokenAt(sql: string, at: number, before: string): Token {
  switch (sql[at]) {
    case ";":
      return { kind: "end", text: ";", open: false };
    case '"':
      return until(sql, at, /"(?:[^"]|"")*"/y);
    case "'":
      // E'…' knows backslash escapes.
      return until(sql, at, /(?:^|\W)e$/i.test(before) ? /'(?:[^'\\]|''|\\.)*'/sy : /'(?:[^']|'')*'/y);
    case "$": {
      const quote = match(sql, at, DOLLAR);
      if (quote === undefined) return { kind: "code", text: "$", open: false };
      const end = sql.indexOf(quote, at + quote.length);
      return end === -1
        ? { kind: "string", text: sql.slice(at), open: true }
        : { kind: "string", text: sql.slice(at, end + quote.length), open: false };
    }
    case "-":
      if (sql[at + 1] !== "-") return { kind: "code", text: "-", open: false };
      return { kind: "comment", text: match(sql, at, /--[^\n]*/y) ?? "--", open: false };
    case "/":
      return sql[at + 1] === "*" ? blockComment(sql, at) : { kind: "code", text: "/", open: false };
    default:
      return { kind: "code", text: match(sql, at, CODE) ?? "", open: false };
  }
}

function until(sql: string, at: number, pattern: RegExp): Token {
  const text = match(sql, at, pattern);
  return { kind: "string", text: text ?? sql.slice(at), open: text === undefined };
}

/** Block comments nest. */
function blockComment(sql: string, at: number): Token {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = at;
  let depth = 0;
  for (let mark = marks.exec(sql); mark !== null; mark = marks.exec(sql)) {
    depth += mark[0] === "/*" ? 1 : -1;
    if (depth === 0) return { kind: "comment", text: sql.slice(at, marks.lastIndex), open: false };
  }
  return { kind: "comment", text: sql.slice(at), open: true };
}

function match(sql: string, at: number, pattern: RegExp): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(sql)?.[0];
}
