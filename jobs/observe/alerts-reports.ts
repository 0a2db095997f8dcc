/**
 * What one process knows of its jobs, for the one that tells: `_ingot/alerts/<pipeline>/reports/<key>-<process>.json`,
 * there for as long as it is so. A report is written anew at every look, so that those of a process that died are known
 * by their not changing.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { type Condition, conditionSchema, type Verdict } from "./alerts-condition.ts";

const reportSchema = z.object({
  key: z.string(),
  /** How often it was written: its sign of life. */
  renewal: z.number(),
  condition: conditionSchema,
});

type Known = Verdict & { readonly condition: Condition };

const folderOf = (pipeline: string) => `_ingot/alerts/${pipeline}/reports/`;

/** Writes the reports of one process about one pipeline. */
export class OwnReports {
  private readonly store: ObjectStore;
  private readonly pipeline: string;
  private readonly process: string;
  private readonly written = new Set<string>();
  private renewal = 0;

  constructor(store: ObjectStore, pipeline: string, owner: string) {
    this.store = store;
    this.pipeline = pipeline;
    this.process = createHash("sha256").update(owner).digest("hex").slice(0, 12);
  }

  /** Makes the reports say what is known now. */
  async renew(known: readonly Known[]): Promise<void> {
    this.renewal += 1;
    const paths = new Map(known.map((one) => [this.pathOf(one.key), one]));
    for (const [path, { key, condition }] of paths) {
      const report = JSON.stringify({ key, renewal: this.renewal, condition });
      this.written.add(path);
      await this.store.put(path, new TextEncoder().encode(`${report}\n`));
    }
    for (const path of this.written) {
      if (paths.has(path)) continue;
      await this.store.delete(path);
      this.written.delete(path);
    }
  }

  private pathOf(key: string): string {
    return `${folderOf(this.pipeline)}${key.replaceAll(" ", "-")}-${this.process}.json`;
  }
}

/** Reads the reports of all processes about one pipeline. */
export class AllReports {
  private readonly store: ObjectStore;
  private readonly pipeline: string;
  private readonly elapsed: () => number;
  private readonly abandonedAfter: number;
  private seen = new Map<string, { readonly text: string; readonly since: number }>();

  /** `abandonedAfter`: milliseconds after which a report that did not change is of a process that died. */
  constructor(store: ObjectStore, pipeline: string, elapsed: () => number, abandonedAfter: number) {
    this.store = store;
    this.pipeline = pipeline;
    this.elapsed = elapsed;
    this.abandonedAfter = abandonedAfter;
  }

  async read(): Promise<Known[]> {
    const seen = new Map<string, { readonly text: string; readonly since: number }>();
    const known: Known[] = [];
    for (const { path } of await this.store.list(folderOf(this.pipeline))) {
      const bytes = await this.store.get(path);
      if (bytes === undefined) continue;
      const text = new TextDecoder().decode(bytes);
      const before = this.seen.get(path);
      const since = before?.text === text ? before.since : this.elapsed();
      if (this.elapsed() - since >= this.abandonedAfter) {
        await this.store.delete(path);
        continue;
      }
      seen.set(path, { text, since });
      known.push(...parsed(text));
    }
    this.seen = seen;
    return known;
  }
}

/** A report of a newer version may say what is not understood here. */
function parsed(text: string): Known[] {
  try {
    const { key, condition } = reportSchema.parse(JSON.parse(text));
    return [{ key, condition }];
  } catch {
    return [];
  }
}
