/**
 * The pointer of a set in files: numbered moves, each made by creating the next file, so that of any number of rivals
 * one wins, and everyone sees one order. The newest says which version readers see, and which is the newest there was.
 */
import { z } from "zod";
import type { ObjectStore } from "../../../lakehouse/store/store.ts";
import type { VersionStamp } from "../target.ts";
import { parse, stampShape } from "../version-schema.ts";

const shownSchema = z.object({
  stamp: z.object(stampShape),
  fingerprint: z.string(),
  digest: z.string(),
  rows: z.number().int(),
  /** Form of the set; absent in what was published before it was written down. */
  kind: z.string().optional(),
  /** Files with the rows, one a line, below the set's folder. */
  files: z.array(z.string()),
});

/** A version as readers see it. */
interface Shown extends Omit<z.infer<typeof shownSchema>, "stamp" | "files"> {
  readonly stamp: VersionStamp;
  readonly files: readonly string[];
}

const moveSchema = z.object({
  /** The highest token that was ever shown. */
  newest: z.string(),
  current: shownSchema,
  previous: shownSchema.optional(),
  rolledBack: z.boolean(),
});

export interface Move {
  readonly number: number;
  readonly newest: string;
  readonly current: Shown;
  /** What a rollback goes back to. */
  readonly previous?: Shown | undefined;
  readonly rolledBack: boolean;
}

const MOVE = /\/moves\/(\d{15})\.json$/;

/** A move under way was cleaned away: a newer one is there. */
const MOST_TRIES = 100;

export class Moves {
  private readonly store: ObjectStore;
  private readonly folder: string;

  /** `folder`: of the set, with a slash at its end. */
  constructor(store: ObjectStore, folder: string) {
    this.store = store;
    this.folder = folder;
  }

  /** The newest move; undefined where nothing was published. */
  async newest(): Promise<Move | undefined> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const number = (await this.numbers()).at(-1);
      if (number === undefined) return undefined;
      const move = await this.at(number);
      if (move !== undefined) return move;
    }
    return undefined;
  }

  /** Makes the next move; false where another was made after `base`, which has to be looked at first. */
  async make(base: Move | undefined, move: Omit<Move, "number">): Promise<boolean> {
    const bytes = Buffer.from(JSON.stringify(move));
    if (!(await this.store.putIfAbsent(this.path((base?.number ?? 0) + 1), bytes))) return false;
    // The number was free as well where others went so far past it that it was cleaned away; its base went before it.
    const numbers = await this.numbers();
    return base === undefined ? numbers.length === 1 : numbers.includes(base.number);
  }

  /** The same version again lives on for as long as it was asked to. */
  async renew({ number, ...move }: Move, expiresAt: string | undefined): Promise<void> {
    const { expiresAt: _former, ...rest } = move.current.stamp;
    const stamp = expiresAt === undefined ? rest : { ...rest, expiresAt };
    const renewed = { ...move, current: { ...move.current, stamp } };
    await this.store.put(this.path(number), Buffer.from(JSON.stringify(renewed)));
  }

  /** Removes all moves but the newest, and gives those that stay. */
  async clean(keep: number): Promise<Move[]> {
    const numbers = await this.numbers();
    const kept = await Promise.all(numbers.slice(-keep).map((number) => this.at(number)));
    for (const number of numbers.slice(0, -keep)) await this.store.delete(this.path(number));
    return kept.filter((move) => move !== undefined);
  }

  private async at(number: number): Promise<Move | undefined> {
    const path = this.path(number);
    const bytes = await this.store.get(path);
    if (bytes === undefined) return undefined;
    return { number, ...(parse(moveSchema, Buffer.from(bytes).toString(), path) as Omit<Move, "number">) };
  }

  private async numbers(): Promise<number[]> {
    const objects = await this.store.list(`${this.folder}moves/`);
    // Whatever else lies there is none of ours.
    return objects.flatMap(({ path }) => (MOVE.test(path) ? [Number(MOVE.exec(path)?.[1])] : []));
  }

  private path(number: number): string {
    return `${this.folder}moves/${String(number).padStart(15, "0")}.json`;
  }
}
