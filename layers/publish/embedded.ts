/**
 * The embedded target: versions as immutable files in the lake, and moves that say which one counts. A stale publisher
 * cannot make the next move without seeing the one that went past it.
 */
import { randomUUID } from "node:crypto";
import { TransientError } from "../../lakehouse/errors.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { polling } from "./deliver.ts";
import { type Move, Moves } from "./files/moves.ts";
import { inFiles, type RowFiles, readFiles } from "./files/row-files.ts";
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
import { isExpired, MOST_TRIES, noLookup, readContention } from "./version-schema.ts";

/** Moves that stay, whose versions readers may be in the middle of. */
const KEPT = 4;
/** Milliseconds after which rows that no move names are those of a publisher that died. */
const DEAD = 600_000;
/** Milliseconds between two looks at the newest move. */
const POLL = 200;

export interface EmbeddedOptions {
  readonly now?: () => number;
  /** Folder of a pipeline's sets below it. */
  readonly folder?: string;
}

export class EmbeddedTarget implements PublishTarget {
  readonly name: string;
  private readonly store: ObjectStore;
  private readonly now: () => number;
  private readonly folder: string;

  constructor(store: ObjectStore, { now = Date.now, folder = "published" }: EmbeddedOptions = {}) {
    this.store = store;
    this.now = now;
    this.folder = folder;
    this.name = `files in ${store.root}`;
  }

  async publish(publication: Publication): Promise<PublishOutcome> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const outcome = await this.tryPublish(publication);
      if (outcome !== undefined) return outcome;
    }
    throw new TransientError(`${publication.set} is published by too many at once`, {
      code: "PUBLISH_CONTENTION",
      value: publication.set,
      next: "Publish again.",
    });
  }

  async rollback(set: string): Promise<VersionStamp | undefined> {
    const moves = this.moves(set);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const base = await moves.newest();
      if (base?.previous === undefined) return undefined;
      if (!(await this.isThere(set, base.previous.files))) return undefined;
      const current = base.previous;
      if (await moves.make(base, { newest: base.newest, current, rolledBack: true })) return current.stamp;
    }
    return undefined;
  }

  read(set: string): Promise<PublishedVersion | undefined> {
    return this.settled(set, async ({ current }) => {
      const rows = await readFiles(this.store, this.folderOf(set), current.files);
      return rows && { ...current.stamp, rows };
    });
  }

  async readRow(set: string, key: readonly string[]): Promise<PublishedRow | undefined> {
    const found = await this.settled(set, ({ current }) => {
      if (current.kind !== undefined && current.kind !== "lookup") throw noLookup(set, current.kind);
      return readFiles(this.store, this.folderOf(set), current.files, key);
    });
    return found?.[0];
  }

  async subscribe(
    set: string,
    onVersion: (event: VersionEvent) => void | Promise<void>,
    { from }: SubscribeOptions = {},
  ): Promise<Subscription> {
    const newest = () => this.newestEvent(set);
    return polling(newest, onVersion, { from, every: POLL });
  }

  /** What readers see, as an event. */
  async newestEvent(set: string): Promise<VersionEvent | undefined> {
    const move = await this.moves(set).newest();
    return move && { ...move.current.stamp, id: String(move.number), rolledBack: move.rolledBack };
  }

  async close(): Promise<void> {}

  /** Undefined where another move was made meanwhile. */
  private async tryPublish(publication: Publication): Promise<PublishOutcome | undefined> {
    const { set, token, fingerprint } = publication;
    const moves = this.moves(set);
    const base = await moves.newest();
    if (base !== undefined && base.newest > token) return { status: "stale", rows: 0, written: 0 };
    const intact = base !== undefined && (await this.isThere(set, base.current.files));
    if (intact && base.rolledBack && token <= base.newest) {
      return { status: "held", rows: base.current.rows, written: 0 };
    }
    const { stamp } = base?.current ?? {};
    if (intact && stamp?.token === token && base.current.fingerprint === fingerprint) {
      if (stamp.expiresAt !== publication.expiresAt) await moves.renew(base, publication.expiresAt);
      return { status: "unchanged", rows: base.current.rows, written: 0 };
    }
    const staged = await this.stage(publication, intact ? base : undefined);
    const { kind } = publication.form;
    const current = { stamp: stampOf(publication), fingerprint, kind, ...staged.content };
    const moved = await moves.make(base, {
      newest: token,
      current,
      ...(base === undefined ? {} : { previous: base.current }),
      rolledBack: false,
    });
    if (!moved) return undefined;
    await this.clean(set);
    return { status: "published", rows: staged.content.rows, written: staged.written };
  }

  /** Rows that are those of the version before are not written again. */
  private async stage(
    publication: Publication,
    base: Move | undefined,
  ): Promise<{ content: RowFiles; written: number }> {
    if (base !== undefined && base.current.fingerprint === publication.fingerprint) {
      const same = await inFiles(publication, async () => "");
      const { files, digest, rows } = base.current;
      if (same.digest === digest) return { content: { files, digest, rows }, written: 0 };
    }
    const id = `${publication.token}.${randomUUID().slice(0, 8)}`;
    const content = await inFiles(publication, async (bytes, index) => {
      const name = `rows/${id}/${String(index).padStart(6, "0")}.jsonl`;
      await this.store.put(`${this.folderOf(publication.set)}${name}`, bytes);
      return name;
    });
    return { content, written: content.rows };
  }

  /** Removes rows that no move names any more. */
  private async clean(set: string): Promise<void> {
    const kept = await this.moves(set).clean(KEPT);
    const named = new Set(
      kept.flatMap(({ current, previous }) => [...current.files, ...(previous?.files ?? [])]),
    );
    const newest = kept.at(-1)?.current.stamp.token ?? "";
    const folder = this.folderOf(set);
    for (const { path, modifiedAt } of await this.store.list(`${folder}rows/`)) {
      const name = path.slice(folder.length);
      const token = name.split("/")[1]?.split(".")[0] ?? "";
      // Those of a version that was superseded; of one that may still be published only when its publisher is dead.
      const isDead = token < newest || this.now() - modifiedAt > DEAD;
      if (!named.has(name) && isDead) await this.store.delete(path);
    }
  }

  private async isThere(set: string, files: readonly string[]): Promise<boolean> {
    for (const name of files) {
      if ((await this.store.getRange(`${this.folderOf(set)}${name}`, 0, 1)) === undefined) return false;
    }
    return true;
  }

  /** Reads until what the newest move names was there to the end; where it is gone for good, nothing is published. */
  private async settled<T>(
    set: string,
    read: (move: Move) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    let missing: number | undefined;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const move = await this.moves(set).newest();
      if (move === undefined || isExpired(move.current.stamp, this.now())) return undefined;
      if (missing === move.number) return undefined;
      const found = await read(move);
      if (found !== undefined) return found;
      missing = move.number;
    }
    throw readContention(set);
  }

  private moves(set: string): Moves {
    return new Moves(this.store, this.folderOf(set));
  }

  private folderOf(set: string): string {
    const [pipeline, metric] = set.split("/");
    return `${pipeline}/_ingot/${this.folder}/${metric}/`;
  }
}

const stampOf = ({ set, token, version, publishedAt, expiresAt, source }: Publication): VersionStamp => ({
  set,
  token,
  version,
  publishedAt,
  ...(expiresAt === undefined ? {} : { expiresAt }),
  ...(source === undefined ? {} : { source }),
});
