/** Random graphs of models of all kinds over streams of changes: what is kept equals what is made from nothing. */
import { cp } from "node:fs/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { messageOf } from "../../lakehouse/errors.ts";
import { Lake, type TablePath } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { build } from "../../layers/models/build.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { queryTable } from "../support/lake.ts";
import { ChangeStream, HISTORY, round } from "./change-stream.ts";
import { dyingLake, killed } from "./dying-lake.ts";
import { graphs, type RandomGraph, randomGraph } from "./random-graph.ts";
import { type SourceName, writeChanges } from "./shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const HOUR_MS = 3600_000;

/** One graph over one source, with the clock that its images go by. */
class Case {
  readonly graph: RandomGraph;
  readonly lake: Lake;
  private now = Date.parse("2024-03-30T20:10:00Z");

  constructor(graph: RandomGraph) {
    this.graph = graph;
    this.lake = this.newLake();
  }

  pass(hours: number): void {
    this.now += hours * HOUR_MS;
  }

  build(lake = this.lake, anew: string[] = []): Promise<unknown> {
    return build({ lake, concurrency: 2, onProgress: ignoreProgress, anew }, this.graph.pipeline);
  }

  /** A build that is killed before its nth commit, if it makes so many. */
  async buildUntil(commits: number): Promise<void> {
    await killed(this.build(dyingLake(this.lake, commits, { now: () => this.now })));
  }

  /** What all tables hold, and what is in quarantine. */
  async rows(lake = this.lake): Promise<Record<string, unknown>> {
    const found: Record<string, unknown> = {};
    for (const table of this.graph.tables)
      found[table] = await queryTable(lake, `shop/${table}`, "FROM t ORDER BY ALL");
    for (const { name } of this.graph.models) {
      const path: TablePath = `shop/quarantine/${name}`;
      const isThere = (await lake.table(path).snapshot()) !== undefined;
      const held = "SELECT key, raw, rules::VARCHAR AS rules FROM t ORDER BY ALL";
      found[`quarantine/${name}`] = isThere ? await queryTable(lake, path, held) : [];
    }
    return found;
  }

  /** The same models over the same bronze, made from nothing; but for past images, which cannot be made again. */
  async rebuilt(): Promise<Record<string, unknown>> {
    const other = this.newLake();
    const images = this.graph.models.filter(({ definition }) => definition.kind === "snapshot");
    for (const path of ["bronze", ...images.map(({ name }) => `gold/${name}`)])
      await cp(`${this.lake.store.root}/shop/${path}`, `${other.store.root}/shop/${path}`, {
        recursive: true,
      });
    const anew = images.map(({ name }) => `gold.${name}`);
    await this.build(other, anew);
    return this.rows(other);
  }

  private newLake(): Lake {
    const store = new LocalStore(`${folder.path}/lake-${crypto.randomUUID()}`);
    return new Lake(store, duckdb, { now: () => this.now });
  }
}

const rounds = fc.array(fc.record({ passed: fc.constantFrom(0, 0, 0, 1, 5, 30), work: round }), {
  minLength: 3,
  maxLength: 8,
  size: "max",
});

it("keeps every model of any graph equal to its rebuild, whatever changes and wherever a run stops", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.noBias(graphs),
      fc.nat({ max: 4 }),
      fc.noBias(rounds),
      async (spec, emptiness, steps) => {
        const graph = await randomGraph(spec, `${folder.path}/pipeline-${crypto.randomUUID()}`);
        const one = new Case(graph);
        const stream = new ChangeStream();
        const write = async (name: string, changes: Parameters<typeof writeChanges>[3]) =>
          writeChanges(one.lake, duckdb, name as SourceName, changes);
        try {
          for (const [name, rows] of Object.entries(HISTORY)) await write(name, emptiness < 4 ? rows : []);
          await one.build();
          for (const { passed, work } of steps) {
            one.pass(passed);
            for (const commit of work.commits)
              for (const [name, changes] of stream.take(commit)) await write(name, changes);
            await (work.fails === null ? one.build() : one.buildUntil(work.fails));
          }
          await one.build();
          expect(await one.rows()).toEqual(await one.rebuilt());
        } catch (error) {
          // The numbers that make a graph say little to who looks for what is wrong with it.
          throw new Error(`${messageOf(error)}\n${graph.text}`, { cause: error });
        }
      },
    ),
    // A counterexample that is not the smallest says more than a test that took too long.
    { numRuns: 8, interruptAfterTimeLimit: 240_000 },
  );
}, 300_000);
