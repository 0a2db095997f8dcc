/** What change capture asks of a server: settings, the right to replicate, room for a slot and its reader. */
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { disconnect } from "../../layers/bronze/postgres/connect.ts";
import { connectForReplication } from "../../layers/bronze/postgres/replication/connection.ts";
import { formatBytes, formatDuration } from "../terminal/numbers.ts";
import { attempt, type CheckResult, failed, ok, skipped, warning } from "./check.ts";
import type { Server } from "./postgres-server.ts";

/** Names of what `checkCapture` always gives. */
export const CAPTURE_CHECKS = [
  "wal_level",
  "replication right",
  "replication slots",
  "WAL senders",
  "WAL kept for slots",
  "wal_sender_timeout",
];

/** A reader reports every 5 seconds; with less time than this, one that is busy is taken for dead. */
const SHORTEST_TIMEOUT = 15_000;
const MEGABYTE = 1 << 20;
/** What is kept for slots should outlast a pause of the reader. */
const LEAST_KEPT = 1024;

export interface CaptureNeeds {
  /** Slots that pipelines will make and have not made yet. */
  readonly newSlots: number;
  readonly isEmbedded: boolean;
}

/** Checks a server whose changes are captured. */
export async function checkCapture(
  connectionString: string,
  server: Server,
  needs: CaptureNeeds,
): Promise<CheckResult[]> {
  return [
    ...checkStandby(server),
    checkLevel(server),
    ...(await checkRight(connectionString, server)),
    checkSlots(server, needs),
    checkSenders(server),
    checkKept(server, needs),
    checkTimeout(server),
    ...checkIdleTimeout(server),
  ];
}

/** What to say where no pipeline captures changes: nothing of it is needed. */
export function offerCapture({ replica, walLevel, mayReplicate, user }: Server): CheckResult {
  const lacks = [
    replica ? "the primary" : "",
    walLevel === "logical" ? "" : "wal_level = logical",
    mayReplicate ? "" : `the REPLICATION right for ${user}`,
  ].filter((lack) => lack !== "");
  return lacks.length === 0
    ? ok("change capture", 'not asked for; `changes: "wal"` would be possible')
    : skipped("change capture", `not asked for; \`changes: "wal"\` would need ${lacks.join(", ")}`);
}

/** Where a setting is made. */
const place = (server: Server) => (server.replica ? "On the primary: " : "");

function checkStandby({ replica }: Server): CheckResult[] {
  if (!replica) return [];
  const fix =
    'Give DATABASE_URL the address of the primary, or set `changes: "query"`. `limits` of the source keep the load gentle.';
  return [failed("standby", "this is a standby: changes cannot be captured from it", fix)];
}

function checkLevel(server: Server): CheckResult {
  if (server.walLevel === "logical") return ok("wal_level", "logical");
  return failed(
    "wal_level",
    `${server.walLevel}: the WAL does not say what changed`,
    `${place(server)}ALTER SYSTEM SET wal_level = 'logical'; then restart Postgres.\nOn RDS: rds.logical_replication = 1 in the parameter group, then reboot.`,
  );
}

function checkRight(connectionString: string, server: Server): Promise<readonly CheckResult[]> {
  const { user, mayReplicate } = server;
  const grant = `${place(server)}ALTER ROLE ${identifier(user)} REPLICATION;\nOn RDS: GRANT rds_replication TO ${identifier(user)};`;
  // The right may be there and pg_hba.conf, or a pooler, refuse the connection all the same.
  const fix =
    "Check pg_hba.conf: a line for this user, database and host. A pooler does not pass replication on.";
  return attempt("replication right", fix, async () => {
    if (!mayReplicate) return failed("replication right", `${user} lacks it`, grant);
    await disconnect(await connectForReplication(connectionString));
    return ok("replication right", `${user} has it; a replication connection was opened`);
  });
}

function checkSlots(server: Server, { newSlots }: CaptureNeeds): CheckResult {
  const { slots, mostSlots } = server;
  const free = mostSlots - slots;
  const name = "replication slots";
  const fix = `${place(server)}ALTER SYSTEM SET max_replication_slots = ${mostSlots + 5}; then restart Postgres.\nOr drop one that nobody uses: SELECT slot_name, active, restart_lsn FROM pg_replication_slots WHERE NOT active;`;
  if (free < newSlots) return failed(name, `${free} of ${mostSlots} are free, ${newSlots} needed`, fix);
  if (free > newSlots) return ok(name, `${free} of ${mostSlots} are free`);
  const later = "none is left for reading tables that are added later, nor for `ingot verify`";
  return warning(name, `${free} of ${mostSlots} are free: ${later}`, fix);
}

function checkSenders(server: Server): CheckResult {
  const { senders, mostSenders } = server;
  const free = mostSenders - senders;
  if (free > 0) return ok("WAL senders", `${free} of ${mostSenders} are free`);
  return failed(
    "WAL senders",
    `none of ${mostSenders} is free`,
    `${place(server)}ALTER SYSTEM SET max_wal_senders = ${mostSenders + 5}; then restart Postgres.\nWho uses them: SELECT pid, application_name, client_addr FROM pg_stat_replication;`,
  );
}

function checkKept(server: Server, { isEmbedded }: CaptureNeeds): CheckResult {
  const name = "WAL kept for slots";
  const { keptMegabytes } = server;
  const set = `${place(server)}ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf();`;
  const advice = `${set}\nOr as much as the disk of pg_wal can spare. On RDS: in the parameter group.`;
  if (keptMegabytes < 0) {
    return isEmbedded
      ? ok(name, "without limit, on a server of Ingot's own")
      : warning(name, "without limit: a slot that nobody reads any more fills the disk", advice);
  }
  const limit = formatBytes(keptMegabytes * MEGABYTE);
  if (keptMegabytes >= LEAST_KEPT) return ok(name, `${limit} at most`);
  return warning(name, `${limit} at most: a slot that is not read for that long is lost`, advice);
}

function checkTimeout(server: Server): CheckResult {
  const name = "wal_sender_timeout";
  const { senderTimeout } = server;
  const fix = `${place(server)}ALTER SYSTEM SET wal_sender_timeout = '60s'; SELECT pg_reload_conf();`;
  if (senderTimeout === 0)
    return warning(name, "off: a reader that is cut off holds its slot until somebody ends it", fix);
  const time = formatDuration(senderTimeout);
  if (senderTimeout >= SHORTEST_TIMEOUT) return ok(name, time);
  return warning(name, `${time}: a reader that is busy is taken for dead`, fix);
}

function checkIdleTimeout(server: Server): CheckResult[] {
  if (server.idleSeconds === 0) return [];
  const time = formatDuration(server.idleSeconds * 1000);
  return [
    warning(
      "idle slots",
      `a slot that is not read for ${time} is invalidated`,
      `Sync more often than that, or ${place(server)}ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();`,
    ),
  ];
}
