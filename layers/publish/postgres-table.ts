/**
 * Postgres as a target: a table for each set, with typed columns. A version replaces the rows of the one before in one
 * transaction, together with the row that says which version it is and keeps older ones out.
 */
import pg from "pg";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { IngotError, messageOf, TransientError } from "../../lakehouse/errors.ts";
import { maskSecrets } from "../../lakehouse/secrets.ts";
import { polling } from "./deliver.ts";
import { rowJson } from "./postgres/columns.ts";
import {
  type PublishedTable,
  prepareTable,
  replaceRows,
  tableExists,
  undoRows,
} from "./postgres/replace-rows.ts";
import { type ShownTable, StateTable, type TableState } from "./postgres/state.ts";
import {
  type Publication,
  type PublishedRow,
  type PublishedVersion,
  type PublishOutcome,
  type PublishTarget,
  rowId,
  type SubscribeOptions,
  type Subscription,
  type VersionEvent,
  type VersionStamp,
} from "./target.ts";
import { isExpired, parseRow } from "./version-schema.ts";

export interface PostgresTableOptions {
  readonly url: string;
  /** Where the tables are; made where it is missing and that is allowed. */
  readonly schema?: string | undefined;
  readonly now?: () => number;
}

/** Milliseconds between two looks at the version. */
const POLL = 500;
/** Name of the channel on which versions are told. */
const CHANNEL = "ingot_published";

export class PostgresTableTarget implements PublishTarget {
  readonly name: string;
  private readonly options: PostgresTableOptions;
  private readonly schema: string;
  private readonly states: StateTable;
  private readonly now: () => number;

  constructor(options: PostgresTableOptions) {
    this.options = options;
    this.now = options.now ?? Date.now;
    this.schema = options.schema ?? "published";
    this.states = new StateTable(this.schema);
    const { host, pathname } = new URL(options.url);
    this.name = `Postgres at ${host}${pathname}, schema ${this.schema}`;
  }

  /** Rejects with `WAREHOUSE_UNREACHABLE`, `WAREHOUSE_FAILED`; readers then see what they saw. */
  publish(publication: Publication): Promise<PublishOutcome> {
    const { set, token, fingerprint, columns } = publication;
    return this.inTransaction("", async (client) => {
      const state = await this.states.lock(client, set);
      const table = this.tableOf(set);
      if (state !== undefined && state.newest > token) return { status: "stale", rows: 0, written: 0 };
      const { current } = state ?? {};
      const intact = current !== undefined && (await this.isIntact(client, table, current));
      if (intact && state?.rolledBack && token <= state.newest) {
        return { status: "held", rows: current.rows, written: 0 };
      }
      const stamp = stampOf(publication);
      if (intact && state && current.stamp.token === token && current.fingerprint === fingerprint) {
        if (current.stamp.expiresAt !== stamp.expiresAt) {
          await this.states.write(client, set, { ...state, current: { ...current, stamp } });
        }
        return { status: "unchanged", rows: current.rows, written: 0 };
      }
      const kept = await prepareTable(client, table, columns, current?.columns);
      const { rows, written } = await replaceRows(client, table, publication);
      await this.move(client, set, {
        newest: token,
        move: (state?.move ?? 0) + 1,
        rolledBack: false,
        current: { stamp, fingerprint, rows, columns: [...columns] },
        ...(kept && intact ? { previous: current } : {}),
      });
      return { status: "published", rows, written };
    });
  }

  rollback(set: string): Promise<VersionStamp | undefined> {
    return this.inTransaction("", async (client) => {
      const state = await this.states.lock(client, set);
      if (state?.previous === undefined || !(await undoRows(client, this.tableOf(set)))) return undefined;
      const { newest, move, previous } = state;
      await this.move(client, set, { newest, move: move + 1, rolledBack: true, current: previous });
      return previous.stamp as VersionStamp;
    });
  }

  read(set: string): Promise<PublishedVersion | undefined> {
    return this.inTransaction("ISOLATION LEVEL REPEATABLE READ READ ONLY", async (client) => {
      const found = await this.currentTable(client, set);
      if (found === undefined) return undefined;
      const { table, columns, stamp } = found;
      const json = `SELECT ${rowJson(columns)} AS row FROM ${table.name} ORDER BY _ingot_id`;
      const { rows } = await client.query<{ row: string }>(json);
      return { ...(stamp as VersionStamp), rows: rows.map(({ row }) => parseRow(row, table.name)) };
    });
  }

  readRow(set: string, key: readonly string[]): Promise<PublishedRow | undefined> {
    return this.inTransaction("ISOLATION LEVEL REPEATABLE READ READ ONLY", async (client) => {
      const found = await this.currentTable(client, set);
      if (found === undefined) return undefined;
      const json = `SELECT ${rowJson(found.columns)} AS row FROM ${found.table.name} WHERE _ingot_id = $1`;
      const { rows } = await client.query<{ row: string }>(json, [rowId(key)]);
      return rows[0] && parseRow(rows[0].row, found.table.name);
    });
  }

  async subscribe(
    set: string,
    onVersion: (event: VersionEvent) => void | Promise<void>,
    { from }: SubscribeOptions = {},
  ): Promise<Subscription> {
    // What listens to a database that is away listens on.
    const patient = () =>
      this.newestEvent(set).catch((error: unknown) => {
        if (error instanceof TransientError) return undefined;
        throw error;
      });
    return polling(patient, onVersion, { from, every: POLL });
  }

  /** What readers see, as an event; its rows are not looked at. */
  newestEvent(set: string): Promise<VersionEvent | undefined> {
    return this.inTransaction("READ ONLY", async (client) => {
      const state = await this.states.find(client, set);
      if (state === undefined) return undefined;
      const { current, move, rolledBack } = state;
      return { ...(current.stamp as VersionStamp), id: String(move), rolledBack };
    });
  }

  async close(): Promise<void> {}

  private async currentTable(client: pg.Client, set: string) {
    const state = await this.states.find(client, set);
    if (state === undefined || isExpired(state.current.stamp, this.now())) return undefined;
    const table = this.tableOf(set);
    if (!(await this.isIntact(client, table, state.current))) return undefined;
    return { table, ...state.current };
  }

  private async isIntact(client: pg.Client, { name }: PublishedTable, current: ShownTable): Promise<boolean> {
    if (!(await tableExists(client, name))) return false;
    const { rows } = await client.query<{ n: string }>(`SELECT count(*) AS n FROM ${name}`);
    return Number(rows[0]?.n) === current.rows;
  }

  private async move(client: pg.Client, set: string, state: TableState): Promise<void> {
    await this.states.write(client, set, state);
    const { token, version } = state.current.stamp;
    await client.query("SELECT pg_notify($1, $2)", [CHANNEL, JSON.stringify({ set, token, version })]);
  }

  private tableOf(set: string): PublishedTable {
    const table = set.replace("/", "_");
    const schema = identifier(this.schema);
    return {
      name: `${schema}.${identifier(table)}`,
      undo: `${schema}.${identifier(`_ingot_undo_${table}`)}`,
    };
  }

  /** A connection for each: publications are rare, and none has to be kept alive between them. */
  private async inTransaction<T>(mode: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({
      connectionString: this.options.url,
      application_name: "ingot publish",
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
    });
    client.on("error", () => {});
    try {
      await client.connect();
    } catch (cause) {
      await client.end().catch(() => {});
      throw this.failure(
        "WAREHOUSE_UNREACHABLE",
        "cannot be reached",
        "Check its address in `targets`.",
        cause,
      );
    }
    try {
      await client.query(`BEGIN ${mode}`);
      const result = await work(client);
      await client.query("COMMIT");
      return result;
    } catch (cause) {
      if (cause instanceof IngotError) throw cause;
      throw this.failure(
        "WAREHOUSE_FAILED",
        "did not take it",
        "Correct what it says; nothing was changed.",
        cause,
      );
    } finally {
      await client.end().catch(() => {});
    }
  }

  private failure(code: string, what: string, next: string, cause: unknown): TransientError {
    const message = `${this.name} ${what}: ${maskSecrets(messageOf(cause))}`;
    return new TransientError(message, { code, value: this.name, next, cause });
  }
}

const stampOf = ({
  set,
  token,
  version,
  publishedAt,
  expiresAt,
  source,
}: Publication): ShownTable["stamp"] => ({
  set,
  token,
  version,
  publishedAt,
  ...(expiresAt === undefined ? {} : { expiresAt }),
  ...(source === undefined ? {} : { source: { ...source } }),
});
