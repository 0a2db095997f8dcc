/** A server to throw away with a table of orders, as the commerce pipeline has them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startPostgres } from "../../jobs/embedded/postgres.ts";

const TABLE_SQL = `
  CREATE TABLE orders (
    id bigint PRIMARY KEY, cart_id bigint NOT NULL, user_id bigint NOT NULL, status text NOT NULL,
    total numeric(12,2) NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL)`;
const INSERT_SQL = `
  INSERT INTO orders
  SELECT g, g * 2, (g * 7919) % 20000 + 1,
         (ARRAY['pending', 'paid', 'shipped', 'delivered', 'cancelled', 'refunded'])[g % 6 + 1],
         ((g * 104729) % 100000) / 100.0 + 1,
         timestamptz '2025-01-01' + g * interval '10 seconds', timestamptz '2025-01-02' + g * interval '10 seconds'
    FROM generate_series($1::bigint, $2::bigint) g`;

export interface OrdersServer {
  readonly connectionString: string;
  readonly folder: string;
  readonly client: pg.Client;
  /** Inserts the orders with these ids, both included, in one transaction. */
  insert(first: number, last: number): Promise<void>;
  /** Ends the server and removes all that it left. */
  end(): Promise<void>;
}

/** Starts a server whose commits wait for no disk. */
export async function startOrders(): Promise<OrdersServer> {
  const folder = await mkdtemp(join(tmpdir(), "ingot-bench-"));
  const settings = { fsync: "off", full_page_writes: "off", max_wal_size: "8GB", shared_buffers: "256MB" };
  const server = await startPostgres({ folder: join(folder, "postgres"), settings });
  const client = new pg.Client({ connectionString: server.connectionString });
  await client.connect();
  await client.query(TABLE_SQL);
  return {
    connectionString: server.connectionString,
    folder,
    client,
    insert: async (first, last) => {
      await client.query(INSERT_SQL, [first, last]);
    },
    end: async () => {
      await client.end();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
