/** Whether changes are captured from the WAL or found by query, and why. */
import type { Publication, Server } from "./read-server.ts";
import type { FoundTable } from "./read-tables.ts";
import { type Changes, identified } from "./table-key.ts";

export interface ChangesChoice {
  readonly changes: Changes;
  /** One sentence, without full stop. */
  readonly why: string;
  /** A publication that exists, where the pipeline cannot have one of its own. */
  readonly publication?: string | undefined;
  /** What stands against the WAL although it was asked for. */
  readonly obstacles: readonly string[];
}

/** Chooses the WAL where everything that capture needs is there. `asked`: what the user wants, whatever we find. */
export function chooseChanges(
  server: Server,
  tables: readonly FoundTable[],
  pipeline: string,
  asked?: Changes,
): ChangesChoice {
  const captured = tables.filter((table) => uncapturable(table) === undefined);
  const publication = findPublication(server, captured, `ingot_${pipeline}`);
  const none = captured.length === 0 ? ["none of the tables can be captured"] : [];
  const obstacles = [...obstaclesOf(server, publication), ...none];
  const named = publication === `ingot_${pipeline}` ? {} : { publication };
  if (asked === "query") return { changes: "query", why: "query was asked for", obstacles: [] };
  if (asked === "wal") {
    const why = obstacles.length > 0 ? "wal was asked for, but it cannot start yet" : "wal was asked for";
    return { changes: "wal", why, ...named, obstacles };
  }
  if (obstacles.length > 0)
    return { changes: "query", why: `query, as ${obstacles.join("; ")}`, obstacles: [] };
  const covered = publication === `ingot_${pipeline}` ? "publications" : `use the publication ${publication}`;
  const why = `wal, as wal_level is logical and ${server.user} may make slots and ${covered}`;
  return { changes: "wal", why, ...named, obstacles };
}

/** Why a table's changes cannot be captured, whatever the server allows. */
export function uncapturable({ unlogged, inherited }: FoundTable): string | undefined {
  if (unlogged) return "it is unlogged, so its changes are not in the WAL";
  if (inherited) return "other tables inherit from it: a read shows their rows, capture does not";
  return undefined;
}

function obstaclesOf(server: Server, publication: string | undefined): string[] {
  const { walLevel, mayReplicate, freeSlots, replica, pooled, user, mayCreate } = server;
  const missing = mayCreate
    ? `${user} does not own all of the tables, which a publication needs`
    : `${user} may not make a publication, and none that exists covers the tables`;
  return [
    ...(walLevel === "logical" ? [] : [`wal_level is ${walLevel}, not logical`]),
    ...(replica ? ["the server is a replica"] : []),
    ...(pooled ? ["a pooler stands before the server"] : []),
    ...(mayReplicate ? [] : [`${user} has no right to replicate`]),
    ...(freeSlots > 0 ? [] : ["no replication slot is free"]),
    ...(publication === undefined ? [missing] : []),
  ];
}

/** The pipeline's own publication where it can be had, else one that covers all tables. */
function findPublication(server: Server, tables: readonly FoundTable[], own: string): string | undefined {
  const others = server.publications.map(({ name }) => name).filter((name) => !name.endsWith("_inserts"));
  return [own, ...others].find((name) => {
    const changes = server.publications.find((publication) => publication.name === name);
    const inserts = server.publications.find((publication) => publication.name === `${name}_inserts`);
    const [withKey, without] = [tables.filter(identified), tables.filter((table) => !identified(table))];
    return covers(server, changes, withKey, "changes") && covers(server, inserts, without, "inserts");
  });
}

/** Whether a publication covers the tables, or can be made to. */
function covers(
  server: Server,
  publication: Publication | undefined,
  tables: readonly FoundTable[],
  operations: "changes" | "inserts",
): boolean {
  if (publication === undefined) return server.mayCreate && tables.every((table) => table.owned);
  if (!publication[operations] || !publication.root) return false;
  const missing = tables.filter((table) => !publication.all && !publication.tables.includes(table.oid));
  return missing.length === 0 || (publication.owned && missing.every((table) => table.owned));
}
