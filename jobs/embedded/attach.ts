import { setTimeout as delay } from "node:timers/promises";
import { TerminalError } from "../../lakehouse/errors.ts";
import { type Binaries, prepareBinaries } from "./binaries.ts";
import type { Cluster } from "./cluster.ts";
import { freePort } from "./free-port.ts";
import { initialise } from "./initialise.ts";
import {
  disownPidFile,
  endPostmaster,
  findPostmaster,
  lastLines,
  launch,
  type Postmaster,
} from "./postmaster.ts";
import { joinServer, type Presence } from "./presence.ts";
import { birthOf } from "./processes.ts";

/** Recovery from a crash after a long load takes its time. */
const READY_WITHIN = 120_000;
const PAUSE = 20;

/** What a server is started with; without effect on one that runs. */
export interface LaunchOptions {
  readonly port?: number | undefined;
  readonly settings: Readonly<Record<string, string>>;
}

/** A server that answers, and this process's connection to it. */
export interface Attachment {
  readonly server: Postmaster;
  readonly presence: Presence;
  readonly startedHere: boolean;
}

/**
 * Attaches to the cluster's server, or starts it (and makes the cluster) when none runs. One that is shutting down
 * is waited for and started anew. Only under the cluster's lock.
 */
export async function attachOrLaunch(cluster: Cluster, options: LaunchOptions): Promise<Attachment> {
  const deadline = Date.now() + READY_WITHIN;
  let binaries: Binaries | undefined;
  for (;;) {
    const running = await findPostmaster(cluster);
    if (running !== undefined) {
      // Zero: it has not yet written its port.
      const presence = running.port > 0 ? await joinServer(cluster, running, deadline) : undefined;
      if (presence !== undefined) return { server: running, presence, startedHere: false };
    } else {
      binaries ??= await prepare(cluster, options);
      const server = await launchOnce(cluster, binaries, options);
      const presence = server && (await joinOrEnd(cluster, server, deadline));
      if (server !== undefined && presence !== undefined) return { server, presence, startedHere: true };
      await checkHopeful(cluster, options, deadline);
    }
    await delay(PAUSE);
  }
}

async function prepare(cluster: Cluster, options: LaunchOptions): Promise<Binaries> {
  const binaries = await prepareBinaries(cluster.user);
  await initialise(cluster, binaries, options.settings.fsync !== "off");
  return binaries;
}

/** `undefined` when it ended before it could be looked at. */
async function launchOnce(
  cluster: Cluster,
  binaries: Binaries,
  options: LaunchOptions,
): Promise<Postmaster | undefined> {
  await disownPidFile(cluster);
  const port = options.port ?? (await freePort());
  const { pid } = await launch(cluster, binaries, port, options.settings);
  const birth = pid === undefined ? undefined : birthOf(pid);
  return pid === undefined || birth === undefined ? undefined : { pid, birth, port };
}

/** A server of ours that does not become usable is not left behind. */
async function joinOrEnd(cluster: Cluster, server: Postmaster, deadline: number) {
  try {
    return await joinServer(cluster, server, deadline);
  } catch (error) {
    await endPostmaster(server, 0);
    throw error;
  }
}

/** Throws unless the reason for which a server ended goes away by itself or with another port. */
async function checkHopeful(cluster: Cluster, options: LaunchOptions, deadline: number): Promise<void> {
  const log = await lastLines(cluster);
  const portTaken = log.includes("could not bind") || log.includes("could not create any TCP/IP sockets");
  // Children of a killed server notice within moments that they are alone; the lock file is another start's.
  const passes =
    log.includes("pre-existing shared memory block") || log.includes('"postmaster.pid" already exists');
  if (Date.now() < deadline && (passes || (portTaken && options.port === undefined))) return;
  throw new TerminalError(`Postgres in ${cluster.home} ended while it started:\n${log}`, {
    code: portTaken ? "POSTGRES_PORT_TAKEN" : "POSTGRES_START_FAILED",
    value: options.port ?? cluster.home,
    next: portTaken ? "Choose another port, or none." : "See the lines of its log above.",
  });
}
