/** A database that several writers change at random, and that keeps a record of every change. */
import fc from "fast-check";
import pg from "pg";

export const TABLES = { accounts: {}, lines: { schema: "sales" }, bag: { key: "none" } } as const;

export const COLUMNS: Readonly<Record<keyof typeof TABLES, readonly string[]>> = {
  accounts: ["id", "n", "body", "amount"],
  lines: ["doc", "line", "note"],
  bag: ["a", "b"],
};

const audited = (table: string, key: string) => `
  CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION audit(${key})`;

/** Tables, and an audit that is written by the very transactions that change them. */
export const SCHEMA_SQL = `
  CREATE SCHEMA sales;
  CREATE TABLE accounts (id int PRIMARY KEY, n int, body text, amount numeric(12,2));
  ALTER TABLE accounts ALTER body SET STORAGE EXTERNAL;
  CREATE TABLE sales.lines (doc int, line text, note text, PRIMARY KEY (doc, line));
  CREATE TABLE bag (a int, b text);
  ALTER TABLE bag REPLICA IDENTITY FULL;
  CREATE TABLE audit (tbl text, op text, key text, xid text);
  CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE old_key text; new_key text;
  BEGIN
    IF TG_OP <> 'INSERT' THEN EXECUTE 'SELECT ' || TG_ARGV[0] INTO old_key USING OLD; END IF;
    IF TG_OP <> 'DELETE' THEN EXECUTE 'SELECT ' || TG_ARGV[0] INTO new_key USING NEW; END IF;
    IF TG_OP = 'INSERT' THEN INSERT INTO audit VALUES (TG_TABLE_NAME, 'i', new_key, pg_current_xact_id()::text);
    ELSIF TG_OP = 'DELETE' THEN INSERT INTO audit VALUES (TG_TABLE_NAME, 'd', old_key, pg_current_xact_id()::text);
    ELSE
      IF old_key IS DISTINCT FROM new_key OR TG_ARGV[1] = 'none' THEN
        INSERT INTO audit VALUES (TG_TABLE_NAME, 'd', old_key, pg_current_xact_id()::text);
      END IF;
      INSERT INTO audit VALUES (TG_TABLE_NAME, 'u', new_key, pg_current_xact_id()::text);
    END IF;
    RETURN NULL;
  END $$;
  ${audited("accounts", "'$1.id::text', 'id'")};
  ${audited("sales.lines", "'$1.doc || ''/'' || $1.line', 'id'")};
  ${audited("bag", "'coalesce($1.a::text, '''') || ''/'' || coalesce($1.b, '''')', 'none'")};
  INSERT INTO accounts SELECT g, g, repeat('s', 3000), g FROM generate_series(1, 50) g;
  INSERT INTO sales.lines SELECT g % 7, g::text, 'seed' FROM generate_series(1, 50) g;
  INSERT INTO bag SELECT g % 3, 'seed' FROM generate_series(1, 20) g;
`;

const id = fc.integer({ min: 1, max: 60 });
/** SQL of a text; long ones are stored apart from their rows. */
const text = fc.oneof(
  fc
    .constantFrom("", "NULL", '"quoted", and', "line\nbreak", "\\.", "é€😀")
    .map((value) => `'${value.replaceAll("'", "''")}'`),
  fc.integer({ min: 2100, max: 6000 }).map((length) => `repeat('${length % 10}', ${length})`),
);

const statement = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(id, text)
      .map(
        ([i, t]) =>
          `INSERT INTO accounts VALUES (${i}, 0, ${t}, ${i}.5) ON CONFLICT (id) DO UPDATE SET n = accounts.n + 1`,
      ),
  },
  {
    weight: 4,
    arbitrary: id.map(
      (i) => `UPDATE accounts SET n = coalesce(n, 0) + 1, amount = NULL WHERE id % 10 = ${i % 10}`,
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(id, text).map(([i, t]) => `UPDATE accounts SET body = ${t} WHERE id = ${i}`),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(id, id)
      .map(
        ([a, b]) =>
          `UPDATE accounts SET id = ${b} WHERE id = ${a} AND NOT EXISTS (SELECT FROM accounts WHERE id = ${b})`,
      ),
  },
  { weight: 3, arbitrary: id.map((i) => `DELETE FROM accounts WHERE id = ${i}`) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(id, text)
      .map(([i, t]) => `INSERT INTO sales.lines VALUES (${i % 7}, '${i}', ${t}) ON CONFLICT DO NOTHING`),
  },
  {
    weight: 2,
    arbitrary: id.map(
      (i) => `UPDATE sales.lines SET line = line || '+' WHERE doc = ${i % 7} AND length(line) < 6`,
    ),
  },
  { weight: 1, arbitrary: id.map((i) => `DELETE FROM sales.lines WHERE doc = ${i % 7}`) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(id, text)
      .map(([i, t]) => `INSERT INTO bag VALUES (${i % 3}, left(${t}, 20)), (${i % 3}, NULL)`),
  },
  {
    weight: 2,
    arbitrary: id.map(
      (i) => `UPDATE bag SET b = 'x' WHERE ctid IN (SELECT ctid FROM bag WHERE a = ${i % 3} LIMIT 2)`,
    ),
  },
  {
    weight: 2,
    arbitrary: id.map(
      (i) => `DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE a = ${i % 3} LIMIT 3)`,
    ),
  },
  {
    weight: 1,
    arbitrary: id.map(
      (i) =>
        `INSERT INTO accounts SELECT g, g, repeat('b', 30), 1 FROM generate_series(${i}000, ${i}000 + 400) g ON CONFLICT DO NOTHING`,
    ),
  },
);

/**
 * Changes of the columns of `accounts`, in the order in which they can happen. Two come with values for rows that are
 * there, of which the WAL says nothing.
 */
export const SCHEMA_CHANGES = [
  "ALTER TABLE accounts ADD COLUMN note text",
  "ALTER TABLE accounts ADD COLUMN state text DEFAULT 'open'",
  "ALTER TABLE accounts ALTER COLUMN n TYPE bigint",
  "ALTER TABLE accounts RENAME COLUMN note TO remark",
] as const;

/** Statements of one transaction, parts of it in savepoints that are kept or rolled back, and how it ends. */
export const transaction = fc.record({
  parts: fc.array(fc.tuple(statement, fc.constantFrom("plain", "plain", "kept", "undone")), {
    minLength: 1,
    maxLength: 5,
  }),
  ends: fc.constantFrom("COMMIT", "COMMIT", "COMMIT", "ROLLBACK"),
});
export type Transaction = typeof transaction extends fc.Arbitrary<infer T> ? T : never;

/** Runs transactions, one after the other. One that Postgres refuses, as in a deadlock, is rolled back. */
export async function write(url: string, transactions: readonly Transaction[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query("SET deadlock_timeout = '20ms'");
    for (const { parts, ends } of transactions) {
      // Writers that think between transactions leave the others room to come in between.
      await client.query("SELECT pg_sleep(0.01)");
      try {
        await client.query("BEGIN");
        for (const [sql, kind] of parts) {
          if (kind === "plain") await client.query(sql);
          else await client.query(`SAVEPOINT s; ${sql}; ${kind === "kept" ? "RELEASE" : "ROLLBACK TO"} s`);
        }
        await client.query(ends);
      } catch {
        await client.query("ROLLBACK");
      }
    }
  } finally {
    await client.end();
  }
}
