/** The server of the API: listens, and ends without tearing answers. */
import { createApp } from "./app.ts";
import { BOUNDS, type Bounds } from "./bounds.ts";
import { EventStreams } from "./event-streams.ts";
import { ownNames, startListening } from "./listen.ts";
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
  const hosts = ownNames(host, allowedHosts);
  const app = createApp({ sets, streams, bounds, origins, hosts, unexpected });
  const listening = await startListening(app.fetch, {
    host,
    port,
    idle: bounds.idle,
    connections: MOST_CONNECTIONS,
    grace: GRACE,
  });
  return {
    url: listening.url,
    stop: () => {
      const stopped = listening.stop();
      streams.close();
      return stopped;
    },
  };
}
