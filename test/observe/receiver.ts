/** A service over HTTP that keeps what it is sent. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach } from "vitest";

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Receiver {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly received: readonly Received[];
  /** How it answers from now on; 204 by default. */
  answer(how: (response: ServerResponse, received: Received) => void): void;
  /** What it got, once that is enough. */
  until<T>(find: (received: readonly Received[]) => T | undefined): Promise<T>;
}

/** One for the file, emptied before each test. */
export function useReceiver(): Receiver {
  const empty = (response: ServerResponse) => void response.writeHead(204).end();
  let received: Received[] = [];
  let answer: (response: ServerResponse, got: Received) => void = empty;
  let looks: (() => void)[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts).toString("utf8");
      const got = { path: request.url ?? "", headers: request.headers, body };
      received.push(got);
      answer(response, got);
      for (const look of looks) look();
    });
  });
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  afterAll(() => {
    // Those that were never answered are open.
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  beforeEach(() => {
    received = [];
    answer = empty;
    looks = [];
  });
  return {
    get url() {
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    get received() {
      return received;
    },
    answer: (how) => {
      answer = how;
    },
    until: (find) =>
      new Promise((resolve) => {
        const look = () => {
          const found = find(received);
          if (found !== undefined) resolve(found);
        };
        looks.push(look);
        look();
      }),
  };
}
