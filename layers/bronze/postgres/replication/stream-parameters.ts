/** What a stream of `pgoutput` is asked for, by the version of the server that is asked. */
import type pg from "pg";
import { z } from "zod";
import { identifier, literal } from "../../../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../../../lakehouse/errors.ts";
import type { SlotOptions } from "../../../definition/pipeline.ts";

/** Which changes are wanted beside those of the published tables, and which are not. */
export type StreamSelection = Pick<SlotOptions, "messages" | "origin">;

/** `server_version_num` of the first version that has logical messages in its stream, and one that knows origins. */
const MESSAGES_SINCE = 140_000;
const ORIGIN_SINCE = 160_000;

const versionRow = z.object({ server_version_num: z.coerce.number().int() });

/** `server_version_num`: 170002 is 17.2. */
export async function serverVersion(client: pg.Client): Promise<number> {
  return versionRow.parse((await client.query("SHOW server_version_num")).rows[0]).server_version_num;
}

/**
 * Refuses what a server of this version cannot send: `POSTGRES_MESSAGES`, `POSTGRES_ORIGIN`. Left out, the one would
 * lose rows and the other would take rows that were not wanted.
 */
export function checkSelection(version: number, { messages, origin }: StreamSelection): void {
  const value = `server_version_num ${version}`;
  if (messages !== undefined && version < MESSAGES_SINCE) {
    throw new TerminalError("this server cannot send logical messages", {
      code: "POSTGRES_MESSAGES",
      value,
      allowed: "Postgres 14 or later",
      next: "Leave `wal: { messages }` out of the pipeline's source, or capture a table that holds the messages.",
    });
  }
  if (origin === "none" && version < ORIGIN_SINCE) {
    throw new TerminalError("this server cannot tell where a change was made", {
      code: "POSTGRES_ORIGIN",
      value,
      allowed: "Postgres 16 or later",
      next: 'Leave `wal: { origin: "none" }` out of the pipeline\'s source: changes of every origin are taken then.',
    });
  }
}

/** The options of START_REPLICATION. */
export function streamParameters(
  version: number,
  publications: readonly string[],
  selection: StreamSelection,
): string {
  checkSelection(version, selection);
  const names = publications.map((name) => identifier(name)).join(",");
  const parameters = ["proto_version '1'", `publication_names ${literal(names)}`];
  if (selection.messages !== undefined) parameters.push("messages 'true'");
  if (selection.origin === "none") parameters.push("origin 'none'");
  return parameters.join(", ");
}
