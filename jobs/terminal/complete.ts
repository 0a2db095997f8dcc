/** What TAB offers at the SQL prompt. */

/** A table as the prompt knows it. */
export interface ListedTable {
  /** As SQL names it, for example `silver.orders`. */
  readonly name: string;
  readonly rows?: number | bigint;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

const KEYWORDS = (
  "SELECT FROM WHERE GROUP ORDER BY HAVING LIMIT OFFSET JOIN LEFT RIGHT FULL INNER CROSS ON USING AS AND OR NOT IN IS " +
  "NULL LIKE ILIKE BETWEEN EXISTS CASE WHEN THEN ELSE END DISTINCT UNION ALL EXCEPT INTERSECT WITH RECURSIVE VALUES " +
  "ASC DESC NULLS FIRST LAST OVER PARTITION ROWS RANGE QUALIFY FILTER COUNT SUM AVG MIN MAX COALESCE CAST DATE " +
  "TIMESTAMP INTERVAL EXTRACT DATE_TRUNC TRUE FALSE DESCRIBE SUMMARIZE EXPLAIN ANALYZE PIVOT UNPIVOT UNNEST EXCLUDE " +
  "REPLACE SAMPLE AT VERSION SHOW"
).split(" ");

/** Words that are no names unless they are quoted. */
const RESERVED = new Set(
  (
    "all and any as asc both case cast check collate column constraint create default desc describe distinct do else end " +
    "except false fetch for foreign from group having in initially intersect into lambda leading limit not null offset " +
    "on only or order pivot placing primary qualify references returning select show some summarize table then to " +
    "trailing true union unique unpivot using variadic when where window with"
  ).split(" "),
);

export const DOT_COMMANDS = [".tables", ".schema", ".mode", ".timeout", ".help", ".quit"] as const;
export const MODES = ["table", "csv", "json", "jsonl"] as const;

/**
 * Completions of the last word of a line, and that word, as readline wants them.
 * @param statement what was typed in the lines before, whose tables offer their columns first
 */
export function complete(
  line: string,
  statement: string,
  tables: readonly ListedTable[],
): [string[], string] {
  if (statement === "" && line.startsWith(".")) return completeCommand(line, tables);
  const word = /[\w.]*$/.exec(line)?.[0] ?? "";
  const lower = word.toLowerCase();
  const dot = word.lastIndexOf(".");
  const owners = dot === -1 ? [] : tables.filter((table) => answersTo(table, lower.slice(0, dot)));
  if (owners.length > 0) {
    const qualifier = word.slice(0, dot + 1);
    const columns = columnsOf(owners).map((name) => qualifier + name);
    return [unique([...starting(columns, lower), ...starting(namesOf(tables), lower)]), word];
  }
  const text = `${statement} ${line}`.toLowerCase();
  const mentioned = tables.filter((table) => text.includes(table.name.toLowerCase()));
  const columns = columnsOf(mentioned.length > 0 ? mentioned : tables);
  // Nothing typed: keywords and columns would fill the screen, tables are what one looks for.
  if (word === "") return [mentioned.length > 0 ? columns : namesOf(tables), word];
  const isLower = word === lower;
  const keywords = KEYWORDS.map((keyword) => (isLower ? keyword.toLowerCase() : keyword));
  const found = [...namesOf(tables), ...columns, ...keywords];
  return [unique(starting(found, lower)), word];
}

function completeCommand(line: string, tables: readonly ListedTable[]): [string[], string] {
  const [, command, argument] = /^(\.\w*)(?:\s+(.*))?$/.exec(line) ?? [];
  if (command === undefined) return [[], line];
  if (argument === undefined) return [starting(DOT_COMMANDS, command.toLowerCase()), command];
  const options = command === ".mode" ? MODES : command === ".schema" ? namesOf(tables) : [];
  return [starting(options, argument.toLowerCase()), argument];
}

/** By its whole name, or by the last part of it. */
export function answersTo(table: ListedTable, name: string): boolean {
  const own = table.name.replaceAll('"', "").toLowerCase();
  return own === name || own.endsWith(`.${name}`);
}

/** A name as SQL takes it: quoted where a bare word would not do. */
export function asWritten(name: string): string {
  const isWord = /^[A-Za-z_]\w*$/.test(name) && !RESERVED.has(name.toLowerCase());
  return isWord ? name : `"${name.replaceAll('"', '""')}"`;
}

const namesOf = (tables: readonly ListedTable[]): string[] => tables.map((table) => table.name);

const columnsOf = (tables: readonly ListedTable[]): string[] =>
  unique(tables.flatMap((table) => table.columns.map((column) => asWritten(column.name))));

const starting = (options: readonly string[], lower: string): string[] =>
  options.filter((option) => option.toLowerCase().startsWith(lower));

const unique = (options: readonly string[]): string[] => [...new Set(options)];
