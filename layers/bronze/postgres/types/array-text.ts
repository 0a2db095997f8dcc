/**
 * Arrays as Postgres prints them (`{a,"b c",NULL}`), as DuckDB lists. Postgres quotes an element that is empty, reads
 * NULL, or holds a comma, a quote, a backslash, a brace or a space; inside of quotes a backslash precedes quotes and
 * backslashes. Documentation of Postgres: "Array Input and Output Syntax".
 */

/** One element with its quotes, or without. */
const ELEMENT = String.raw`"(?:[^"\\]|\\[\s\S])*"|[^,{}]+`;
const ESCAPED = String.raw`\\([\s\S])`;

/**
 * SQL of the elements of an array's text, as VARCHAR[]. `otherwise`: SQL for an array of several dimensions, or with
 * bounds of its own, which Postgres prints in front of it (`[0:1]={a,b}`).
 */
function elementsSql(text: string, otherwise: string): string {
  const inner = "substr(e, 2, length(e) - 2)";
  const unquoted = `CASE WHEN contains(e, '\\') THEN regexp_replace(${inner}, '${ESCAPED}', '\\1', 'g') ELSE ${inner} END`;
  const quoted = `list_transform(regexp_extract_all(${text}, '${ELEMENT}'),
    lambda e: CASE WHEN e[1] = '"' THEN ${unquoted} WHEN e = 'NULL' THEN NULL ELSE e END)`;
  const plain = `string_split(substr(${text}, 2, length(${text}) - 2), ',')`;
  return `CASE WHEN ${text}[1] <> '{' OR ${text}[2] = '{' THEN ${otherwise} WHEN ${text} = '{}' THEN []::VARCHAR[]
    WHEN contains(${text}, '"') OR contains(${text}, 'NULL') THEN ${quoted} ELSE ${plain} END`;
}

/**
 * SQL of the list that `value` makes of the elements of an array's text; NULL where that is NULL. `otherwise`: SQL for
 * an array that is no plain list, or has an element that is not null but without value.
 */
export function arraySql(text: string, value: (element: string) => string, otherwise = "NULL"): string {
  const elements = elementsSql(text, otherwise);
  if (value("e") === "e") return elements;
  const values = `list_transform(l, lambda e: ${value("e")})`;
  // A list of one list, so that the elements are taken apart once and named.
  return `list_transform([${elements}], lambda l: CASE WHEN l IS NULL THEN NULL
    WHEN list_count(${values}) = list_count(l) THEN ${values} ELSE ${otherwise} END)[1]`;
}
