/** Connections that speak the streaming replication protocol, beside ordinary SQL ("Streaming Replication Protocol"). */
import type pg from "pg";
import { connect } from "../connect.ts";

/** A connection in replication mode; commands go through `query`, in the simple protocol only. */
export function connectForReplication(connectionString: string): Promise<pg.Client> {
  return connect(connectionString, { replication: "database" });
}
