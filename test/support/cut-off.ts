/** A server between a client and a TCP service, that can be cut off from either. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterAll, beforeAll } from "vitest";

export interface CutOff {
  /** The address with this server in place of its own. */
  through(url: string): string;
  /** Ends all connections and takes no more. */
  cut(): void;
  /** As `cut`, but leaves connections as they are: nothing comes through them any more. */
  silence(): void;
  mend(): void;
}

/** Between tests and a service at `url`. */
export function useCutOff(url: () => string): CutOff {
  const pairs = new Set<readonly [Socket, Socket]>();
  let isCut = false;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    if (isCut) return void near.resetAndDestroy();
    const { hostname, port } = new URL(url());
    const far = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const pair = [near, far] as const;
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) socket.on("error", end).on("close", end);
    near.pipe(far);
    far.pipe(near);
  });
  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  const cut = () => {
    isCut = true;
    for (const [near, far] of pairs) {
      near.destroy();
      far.destroy();
    }
  };
  afterAll(async () => {
    cut();
    server.close();
    await once(server, "close");
  });
  return {
    through: (address) => {
      const changed = new URL(address);
      changed.hostname = "127.0.0.1";
      changed.port = String((server.address() as AddressInfo).port);
      return changed.href;
    },
    cut,
    silence: () => {
      isCut = true;
      for (const [near, far] of pairs) {
        near.unpipe(far);
        far.unpipe(near);
        for (const socket of [near, far]) socket.resume();
      }
    },
    mend: () => {
      isCut = false;
    },
  };
}
