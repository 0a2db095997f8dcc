/** A server that listens at an address, and ends without tearing answers. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { codeOf, messageOf, TerminalError } from "../../lakehouse/errors.ts";
import { HttpError } from "./http-error.ts";
import { isLoopback } from "./loopback.ts";

/** What answers requests. */
export type Fetch = Parameters<typeof createAdaptorServer>[0]["fetch"];

export interface ListenOptions {
  readonly host: string;
  /** 0 for one that is free. */
  readonly port: number;
  /** Connections at once, idle ones among them. */
  readonly connections: number;
  /** Milliseconds after which a connection on which nothing was taken is closed. */
  readonly idle: number;
  /** Milliseconds that answers have to end. */
  readonly grace: number;
}

export interface Listening {
  readonly url: string;
  /** Takes no more connections, lets answers end, and closes what is still open after the grace. */
  stop(): Promise<void>;
}

/** Listens; rejects with `SERVE_ADDRESS` where that is not possible. */
export async function startListening(fetch: Fetch, options: ListenOptions): Promise<Listening> {
  const { host, port, connections, idle, grace } = options;
  const server = createAdaptorServer({ fetch, overrideGlobalObjects: false }) as Server;
  server.maxConnections = connections;
  server.setTimeout(idle);
  let stopping = false;
  server.on("request", (_request, response) => {
    // A connection that waits for another request would keep a server open that takes none.
    response.once("close", () => setImmediate(() => stopping && server.closeIdleConnections()));
  });
  await listen(server, host, port);
  const { port: actual } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${actual}`,
    stop: async () => {
      stopping = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const late = setTimeout(() => server.closeAllConnections(), grace);
      await closed;
      clearTimeout(late);
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const inUse = codeOf(cause) === "EADDRINUSE";
      reject(
        new TerminalError(inUse ? "the port is in use" : `nobody can listen there: ${messageOf(cause)}`, {
          code: "SERVE_ADDRESS",
          value: `${host}:${port}`,
          next: "Choose another one with --port or --host; --port 0 takes one that is free.",
          cause,
        }),
      );
    });
    server.listen(port, host, () => resolve());
  });
}

/** Names under which a server may be called, beside its own, where only this machine reaches it; undefined: any. */
export function ownNames(host: string, others: readonly string[] = []): ReadonlySet<string> | undefined {
  if (!isLoopback(host)) return undefined;
  const own = ["localhost", "127.0.0.1", "[::1]", host, ...others];
  return new Set(own.map((name) => name.toLowerCase()));
}

/** A page elsewhere can make a name of its own mean this machine; a server for this machine goes by its own names. */
export function refuseHost(
  host: string | undefined,
  hosts: ReadonlySet<string> | undefined,
  next: string,
): void {
  const name = (host ?? "").replace(/:\d+$/, "").toLowerCase();
  if (hosts === undefined || hosts.has(name)) return;
  throw new HttpError(421, "HOST_UNKNOWN", "this server is not called by that name", {
    value: name.slice(0, 100),
    next,
  });
}
