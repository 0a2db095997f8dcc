/**
 * A webhook as a target. Each version is written down in the lake first, as the embedded target does it, then posted;
 * what was not accepted is posted by the next publication, so that the receiver gets the newest version at least once.
 * A receiver keeps the highest `Ingot-Move` and passes over lower ones, for requests may overtake each other.
 */
import { setTimeout as delay } from "node:timers/promises";
import { TerminalError, TransientError } from "../../lakehouse/errors.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { EmbeddedTarget } from "./embedded.ts";
import type {
  Publication,
  PublishedRow,
  PublishedVersion,
  PublishOutcome,
  PublishTarget,
  SubscribeOptions,
  Subscription,
  VersionEvent,
  VersionStamp,
} from "./target.ts";
import { postWebhook } from "./webhook-post.ts";

export interface WebhookOptions {
  readonly url: string;
  /** Key of the signature; requests are not signed without it. */
  readonly secret?: string | undefined;
  /** Pauses before the second try, the third and so on, in milliseconds. */
  readonly pauses?: readonly number[] | undefined;
}

const PAUSES = [200, 1_000, 3_000];
/** The longest that a receiver may ask to be left alone, in milliseconds. */
const LONGEST_PAUSE = 10_000;
const PATIENCE = 30_000;
/** A version is signed whole, so it is in memory whole. */
const MOST_BYTES = 32 * 1024 * 1024;

export class WebhookTarget implements PublishTarget {
  readonly name: string;
  private readonly store: ObjectStore;
  private readonly outbox: EmbeddedTarget;
  private readonly options: WebhookOptions;
  private readonly folder: string;

  /** `target`: its name in the configuration; `store`: the lake. */
  constructor(target: string, store: ObjectStore, options: WebhookOptions) {
    this.folder = `published_to/${target}`;
    this.store = store;
    this.outbox = new EmbeddedTarget(store, { folder: this.folder });
    this.options = options;
    // A path or a query may hold a key.
    this.name = `webhook ${target} at ${new URL(options.url).host}`;
  }

  /** Rejects with `WEBHOOK_UNREACHABLE`, `WEBHOOK_REFUSED`, `WEBHOOK_TOO_LARGE`; the next publication posts again. */
  async publish(publication: Publication): Promise<PublishOutcome> {
    const outcome = await this.outbox.publish(publication);
    await this.postNewest(publication.set);
    return outcome;
  }

  async rollback(set: string): Promise<VersionStamp | undefined> {
    const stamp = await this.outbox.rollback(set);
    if (stamp !== undefined) await this.postNewest(set);
    return stamp;
  }

  /** What was posted, or is about to be. */
  read(set: string): Promise<PublishedVersion | undefined> {
    return this.outbox.read(set);
  }

  readRow(set: string, key: readonly string[]): Promise<PublishedRow | undefined> {
    return this.outbox.readRow(set, key);
  }

  subscribe(
    set: string,
    onVersion: (event: VersionEvent) => void | Promise<void>,
    options?: SubscribeOptions,
  ): Promise<Subscription> {
    return this.outbox.subscribe(set, onVersion, options);
  }

  /** As `read`, without rows. */
  newestEvent(set: string): Promise<VersionEvent | undefined> {
    return this.outbox.newestEvent(set);
  }

  async close(): Promise<void> {}

  /** Posts the newest version unless the receiver has it. */
  private async postNewest(set: string): Promise<void> {
    const event = await this.outbox.newestEvent(set);
    const version = await this.outbox.read(set);
    if (event === undefined || version === undefined) return;
    const accepted = `${this.acceptedFolder(set)}${event.id.padStart(15, "0")}.json`;
    if ((await this.store.get(accepted)) !== undefined) return;
    const { id, rolledBack, ...stamp } = event;
    const body = JSON.stringify({ ...stamp, move: Number(id), rolledBack, rows: version.rows });
    // Another version came between the two reads: whoever made it posts it.
    if (version.token !== event.token) return;
    if (body.length > MOST_BYTES) {
      throw new TerminalError(`${set} is too large for ${this.name}`, {
        code: "WEBHOOK_TOO_LARGE",
        value: `${body.length} bytes`,
        allowed: `${MOST_BYTES} bytes`,
        next: "Publish a part of it, with `where`, `columns` or `limit`, or to another target.",
      });
    }
    await this.post(body, { move: id, key: `${set}:${stamp.token}:${id}`, token: stamp.token });
    for (const { path } of await this.store.list(this.acceptedFolder(set))) await this.store.delete(path);
    await this.store.put(accepted, Buffer.from(new Date().toISOString()));
  }

  private async post(
    body: string,
    { move, key, token }: { readonly move: string; readonly key: string; readonly token: string },
  ): Promise<void> {
    const pauses = this.options.pauses ?? PAUSES;
    for (let tries = 0; ; tries++) {
      const { status, failure, wait, passing } = await postWebhook(
        { ...this.options, name: this.name },
        {
          body,
          headers: { "idempotency-key": key, "ingot-move": move, "ingot-token": token },
          patience: PATIENCE,
        },
      );
      // 409: it has a newer one.
      if (status === 409) return;
      if (failure === undefined) return;
      const pause = pauses[tries];
      if (!passing) {
        throw new TerminalError(`${this.name} refuses versions: ${failure}`, {
          code: "WEBHOOK_REFUSED",
          value: failure,
          next: "Correct the address, the secret or the receiver, then publish again.",
        });
      }
      if (pause === undefined) {
        throw new TransientError(`${this.name} does not take versions: ${failure}`, {
          code: "WEBHOOK_UNREACHABLE",
          value: failure,
          next: "Publish again when it is there: the version is posted then.",
        });
      }
      await delay(Math.min(LONGEST_PAUSE, Math.max(pause, wait)));
    }
  }

  private acceptedFolder(set: string): string {
    const [pipeline, metric] = set.split("/");
    return `${pipeline}/_ingot/${this.folder}/${metric}/accepted/`;
  }
}
