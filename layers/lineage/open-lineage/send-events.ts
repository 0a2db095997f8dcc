/** Where OpenLineage events go: a file, one event a line, or a service over HTTP. */
import { appendFile, mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { IngotError, messageOf, TransientError } from "../../../lakehouse/errors.ts";
import { maskSecrets } from "../../../lakehouse/secrets.ts";
import type { RunEvent } from "./events.ts";

/** Setting `openLineage` of a configuration. */
export interface EventTarget {
  /** Address of a service, as `http://localhost:5000`; without a path that of its interface, `/api/v1/lineage`. */
  readonly url?: string | undefined;
  /** Sent to the service as a bearer token. */
  readonly apiKey?: string | undefined;
  /** File, relative to the configuration's folder. */
  readonly file?: string | undefined;
}

/** Milliseconds that a service may take for one event. */
const PATIENCE = 5_000;

/** Sends events in order; the first that fails ends it. Throws `OPENLINEAGE_FAILED`; the address is never told. */
export async function sendEvents(
  target: EventTarget,
  folder: string,
  events: readonly RunEvent[],
): Promise<void> {
  try {
    if (target.file !== undefined) await append(resolve(folder, target.file), events);
    if (target.url === undefined) return;
    for (const event of events) await post(addressOf(target.url), target.apiKey, event);
  } catch (cause) {
    if (cause instanceof IngotError) throw cause;
    throw new TransientError(`OpenLineage events were not delivered: ${maskSecrets(reason(cause))}`, {
      code: "OPENLINEAGE_FAILED",
      next: "See that the service of `openLineage` in ingot.config.ts is up; the run itself is not touched by it.",
      cause,
    });
  }
}

async function append(file: string, events: readonly RunEvent[]): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await appendFile(file, events.map((event) => `${JSON.stringify(event)}\n`).join(""));
}

/** Name and password of an address go into a header: `fetch` refuses them where they stand. */
async function post(address: URL, apiKey: string | undefined, event: RunEvent): Promise<void> {
  const basic = `${decodeURIComponent(address.username)}:${decodeURIComponent(address.password)}`;
  const authorization =
    apiKey !== undefined
      ? `Bearer ${apiKey}`
      : basic === ":"
        ? undefined
        : `Basic ${Buffer.from(basic).toString("base64")}`;
  const bare = new URL(address);
  bare.username = "";
  bare.password = "";
  const response = await fetch(bare, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(authorization === undefined ? {} : { authorization }),
    },
    body: JSON.stringify(event),
    signal: AbortSignal.timeout(PATIENCE),
  });
  await response.body?.cancel();
  if (response.ok) return;
  throw new TransientError(`OpenLineage events were not delivered: the service answered ${response.status}`, {
    code: "OPENLINEAGE_FAILED",
    value: response.status,
    next: "See the service's log; the run itself is not touched by it.",
  });
}

function addressOf(url: string): URL {
  const address = new URL(url);
  if (address.pathname === "/") address.pathname = "/api/v1/lineage";
  return address;
}

/** `fetch` says no more than that it failed; its cause says why. */
const reason = (error: unknown): string =>
  error instanceof TypeError && error.cause !== undefined
    ? messageOf(error.cause) || error.message
    : messageOf(error);
