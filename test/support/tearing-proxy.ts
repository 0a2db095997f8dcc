import { once } from "node:events";
import { createServer, request } from "node:http";
import { afterAll, beforeAll } from "vitest";

/** What the proxy does to one request. */
export type Mishap =
  /** Hands it on and closes the connection in place of the answer. */
  | { readonly kind: "tear-after" }
  /** Closes the connection without handing it on. */
  | { readonly kind: "tear-before" }
  /** Hands it on and closes the connection in the middle of the answer's body, or before one that is empty. */
  | { readonly kind: "tear-body" }
  /** Hands it on and never answers. */
  | { readonly kind: "stall" }
  /** Answers itself. */
  | { readonly kind: "answer"; readonly status: number; readonly code?: string };

export interface TearingProxy {
  readonly endpoint: string;
  /** Mishaps for the next requests that match, in order; the others are handed on. */
  readonly plan: { readonly when: (method: string, url: string) => boolean; readonly mishap: Mishap }[];
  /** Method and path of every request that came. */
  readonly seen: string[];
}

/** An HTTP proxy before a service: what is not planned to fail goes through unchanged. */
export function useTearingProxy(target: () => string): TearingProxy {
  const plan: TearingProxy["plan"] = [];
  const seen: string[] = [];
  const server = createServer((incoming, answer) => {
    const { method = "", url = "" } = incoming;
    seen.push(`${method} ${url}`);
    const index = plan.findIndex(({ when }) => when(method, url));
    const mishap = index < 0 ? undefined : plan.splice(index, 1)[0]?.mishap;
    const tear = () => incoming.socket.destroy();
    if (mishap?.kind === "tear-before") return tear();
    if (mishap?.kind === "answer") {
      incoming.resume();
      incoming.once("end", () => {
        answer.writeHead(mishap.status, { "content-type": "application/xml" });
        answer.end(mishap.code && `<Error><Code>${mishap.code}</Code><Message>planned</Message></Error>`);
      });
      return;
    }
    const { hostname, port } = new URL(target());
    const onward = request({ hostname, port, method, path: url, headers: incoming.headers }, (reply) => {
      if (mishap?.kind === "tear-after" || mishap?.kind === "stall") {
        reply.resume();
        if (mishap.kind === "tear-after") reply.once("end", tear);
        return;
      }
      answer.writeHead(reply.statusCode ?? 500, reply.headers);
      if (mishap?.kind === "tear-body") {
        reply.once("data", (chunk: Buffer) => answer.write(chunk.subarray(0, chunk.length / 2), tear));
        reply.once("end", tear);
        return;
      }
      reply.pipe(answer);
    });
    onward.on("error", tear);
    incoming.pipe(onward);
  });
  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return {
    plan,
    seen,
    get endpoint() {
      const address = server.address();
      if (address === null || typeof address === "string") throw new Error("The proxy is not up yet.");
      return `http://127.0.0.1:${address.port}`;
    },
  };
}
