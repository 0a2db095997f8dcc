/** The server of the API: listens, and ends without tearing answers. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { codeOf, messageOf, TerminalError } from "../../lakehouse/errors.ts";
import { createApp } from "./app.ts";
import { BOUNDS, type Bounds } from "./bounds.ts";
import { EventStreams } from "./event-streams.ts";
import { isLoopback } from "./loopback.ts";
import type { ServedSet } from "./served-sets.ts";

export interface ServeOptions {
  readonly sets: ReadonlyMap<string, ServedSet>;
  readonly host: string;
  /** 0 for one that is free. */
  readonly port: number;
  readonly origins?: readonly string[];
  /** Names under which the server may be called, beside its own, where it listens on this machine alone. */
  readonly allowedHosts?: readonly string[];
  readonly bounds?: Partial<Bounds>;
  readonly unexpected: (error: unknown) => void;
}

export interface RunningServer {
  readonly url: string;
  /** Ends streams of events, lets answers end, and closes what is still open a few seconds later. */
  stop(): Promise<void>;
}

/** Connections at once, idle ones among them. */
const MOST_CONNECTIONS = 1_000;
/** Milliseconds that answers have to end. */
const GRACE = 5_000;

/** Listens; rejects with `SERVE_ADDRESS` where that is not possible. */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const { sets, host, port, origins = [], allowedHosts = [], unexpected } = options;
  const bounds = { ...BOUNDS, ...options.bounds };
  const streams = new EventStreams(bounds);
  const own = ["localhost", "127.0.0.1", "[::1]", host, ...allowedHosts];
  const hosts = isLoopback(host) ? new Set(own.map((name) => name.toLowerCase())) : undefined;
  const app = createApp({ sets, streams, bounds, origins, hosts, unexpected });
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  server.maxConnections = MOST_CONNECTIONS;
  // Of a connection on which nothing was taken for so long.
  server.setTimeout(bounds.idle);
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
      streams.close();
      server.closeIdleConnections();
      const late = setTimeout(() => server.closeAllConnections(), GRACE);
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
