/** SQL text for DuckDB and Postgres: both quote identifiers and strings the same way. */

/** A quoted identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A quoted string literal, for places where no parameter can be bound (file names in COPY, views). */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Quoted identifiers with commas between. */
export function identifiers(names: readonly string[], qualifier?: string): string {
  return names.map((name) => (qualifier ? `${qualifier}.${identifier(name)}` : identifier(name))).join(", ");
}
