/** Posting to a webhook, signed where there is a secret: one try, and what it says of another. */
import { createHmac } from "node:crypto";
import { messageOf } from "../../lakehouse/errors.ts";
import { maskSecrets } from "../../lakehouse/secrets.ts";

export interface WebhookAddress {
  /** A name and a password in it go into a header. */
  readonly url: string;
  /** Key of the signature; requests are not signed without it. */
  readonly secret?: string | undefined;
  /** What people may see of the address. */
  readonly name: string;
}

export interface WebhookPost {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds that the receiver may take. */
  readonly patience: number;
  /** Aborted when nobody wants an answer any more. */
  readonly signal?: AbortSignal;
  /** Whether to read what it answers. */
  readonly reads?: boolean;
}

export interface WebhookAnswer {
  /** Of the receiver; undefined where there was none. */
  readonly status: number | undefined;
  /** Why it was not taken, without the address; undefined where it was. */
  readonly failure: string | undefined;
  /** Milliseconds that the receiver asks to be left alone. */
  readonly wait: number;
  /** Whether another try may help. */
  readonly passing: boolean;
  /** The beginning of what it answered, where that was to be read. */
  readonly text: string;
}

const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Bytes of an answer that are read. */
const MOST_TEXT = 300;

/** Posts JSON once. A receiver that does not answer is an answer too; rejects only where the address is none. */
export async function postWebhook(to: WebhookAddress, post: WebhookPost): Promise<WebhookAnswer> {
  const { body, headers, patience, signal, reads = false } = post;
  const time = Math.floor(Date.now() / 1000);
  const late = AbortSignal.timeout(patience);
  const { bare, authorization } = partsOf(to.url);
  try {
    const response = await fetch(bare, {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        ...headers,
        ...(authorization === undefined ? {} : { authorization }),
        ...(to.secret ? { "ingot-signature": signatureOf(body, to.secret, time) } : {}),
      },
      // A redirect could carry it to where nobody meant it to go.
      redirect: "error",
      signal: signal === undefined ? late : AbortSignal.any([late, signal]),
    });
    const text = reads ? await beginningOf(response).catch(() => "") : "";
    // What it says is known; that its answer breaks off is no reason to post again.
    if (!reads) await response.body?.cancel().catch(() => {});
    const { status } = response;
    if (response.ok) return { status, failure: undefined, wait: 0, passing: false, text };
    const wait = waitOf(response.headers.get("retry-after"));
    return { status, failure: `status ${status}`, wait, passing: PASSING.has(status), text };
  } catch (error) {
    return { status: undefined, failure: reasonOf(error, to, bare), wait: 0, passing: true, text: "" };
  }
}

/** The message of `fetch` may name the whole address; its cause says why. */
function reasonOf(error: unknown, { url, name }: WebhookAddress, bare: URL): string {
  const { cause } = error as { cause?: unknown };
  const reason = cause === undefined ? "no answer" : messageOf(cause) || "no connection";
  return maskSecrets(reason.replaceAll(url, name).replaceAll(bare.href, name));
}

/** Milliseconds that `Retry-After` asks for: a number of seconds, or a date. */
function waitOf(header: string | null): number {
  if (header === null) return 0;
  const seconds = Number(header);
  const wait = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000;
  return Number.isNaN(wait) ? 0 : Math.max(0, wait);
}

/** Name and password of an address go into a header: `fetch` refuses them where they stand. */
function partsOf(url: string): { readonly bare: URL; readonly authorization: string | undefined } {
  const bare = new URL(url);
  const basic = `${decoded(bare.username)}:${decoded(bare.password)}`;
  bare.username = "";
  bare.password = "";
  return {
    bare,
    authorization: basic === ":" ? undefined : `Basic ${Buffer.from(basic).toString("base64")}`,
  };
}

/** Text of an address as it is meant; a `%` that escapes nothing is one. */
function decoded(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (escaped) => {
    try {
      return decodeURIComponent(escaped);
    } catch {
      return escaped;
    }
  });
}

/** The first bytes of an answer; the rest is not waited for. */
async function beginningOf(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length < MOST_TEXT) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
  }
  await reader.cancel();
  return Buffer.concat(parts).subarray(0, MOST_TEXT).toString("utf8");
}

/** `t=SECONDS,v1=HEX`: HMAC-SHA256 over `SECONDS.BODY`. The time keeps an old request from being sent once more. */
function signatureOf(body: string, secret: string, time: number): string {
  return `t=${time},v1=${createHmac("sha256", secret).update(`${time}.${body}`).digest("hex")}`;
}
