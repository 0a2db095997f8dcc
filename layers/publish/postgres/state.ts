/** One row for each set that is published to a Postgres database: which version its table holds. */
import type pg from "pg";
import { z } from "zod";
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import { parse, stampShape } from "../version-schema.ts";

const shownSchema = z.object({
  stamp: z.object(stampShape),
  fingerprint: z.string(),
  rows: z.number().int(),
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
});
const stateSchema = z.object({
  /** The highest token that was ever shown. */
  newest: z.string(),
  move: z.number().int(),
  rolledBack: z.boolean(),
  current: shownSchema,
  /** What a rollback goes back to. */
  previous: shownSchema.optional(),
});

/** A version that the table holds. */
export type ShownTable = z.infer<typeof shownSchema>;
export type TableState = z.infer<typeof stateSchema>;

/** Where the tables of a target are. */
export class StateTable {
  private readonly name: string;
  private readonly schema: string;

  constructor(schema: string) {
    this.schema = schema;
    this.name = `${identifier(schema)}._ingot_published`;
  }

  /** Makes it where it is missing; publishers of a set wait for each other until their transactions end. */
  async lock(client: pg.Client, set: string): Promise<TableState | undefined> {
    if (!(await this.exists(client))) {
      await client.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [`ingot ${this.schema}`]);
      // A user who may not make schemas may have been given one.
      const { rows } = await client.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [this.schema]);
      if (rows.length === 0) await client.query(`CREATE SCHEMA ${identifier(this.schema)}`);
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${this.name} (set text PRIMARY KEY, token text NOT NULL, version bigint NOT NULL,
           published_at timestamptz NOT NULL, state jsonb NOT NULL);
         COMMENT ON TABLE ${this.name} IS ${literal("Versions that Ingot has published.")}`,
      );
    }
    await client.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", [`${this.schema} ${set}`]);
    return this.read(client, set);
  }

  /** Undefined where nothing is published. */
  async find(client: pg.Client, set: string): Promise<TableState | undefined> {
    return (await this.exists(client)) ? this.read(client, set) : undefined;
  }

  async write(client: pg.Client, set: string, state: TableState): Promise<void> {
    const { token, version, publishedAt } = state.current.stamp;
    await client.query(
      `INSERT INTO ${this.name} (set, token, version, published_at, state) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (set) DO UPDATE SET token = EXCLUDED.token, version = EXCLUDED.version,
         published_at = EXCLUDED.published_at, state = EXCLUDED.state`,
      [set, token, version, publishedAt, JSON.stringify(state)],
    );
  }

  private async read(client: pg.Client, set: string): Promise<TableState | undefined> {
    const { rows } = await client.query<{ state: string }>(
      `SELECT state::text AS state FROM ${this.name} WHERE set = $1`,
      [set],
    );
    return rows[0] && parse(stateSchema, rows[0].state, `${this.name}, ${set}`);
  }

  private async exists(client: pg.Client): Promise<boolean> {
    const { rows } = await client.query<{ found: boolean }>("SELECT to_regclass($1) IS NOT NULL AS found", [
      this.name,
    ]);
    return rows[0]?.found === true;
  }
}
