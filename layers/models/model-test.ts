/**
 * Tests of models on a few rows: what a model makes of given rows, and of changes after them, step by step. Each step is
 * built as in production, and at the end the table must be what a rebuild makes it.
 */
import { rm } from "node:fs/promises";
import { mergeRows } from "../../lakehouse/delta/change/merge.ts";
import { createTable } from "../../lakehouse/delta/create.ts";
import { inferSchema } from "../../lakehouse/delta/infer-schema.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { StructType } from "../../lakehouse/delta/schema.ts";
import { withSource } from "../../lakehouse/delta/source.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, identifiers } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { Lake, type TablePath } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { makeScratch } from "../../lakehouse/scratch.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import type { AnyContract } from "../../schemas/table.ts";
import { META, META_FIELDS, SOURCE_DOMAIN } from "../definition/bronze-columns.ts";
import { addedColumns } from "../definition/model-columns.ts";
import type { GivenRows, ModelTest, ModelTestStep } from "../definition/model-test.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { build } from "./build.ts";
import { contractSchema } from "./contract.ts";

/** Rows that one side has and the other lacks, as JSON. */
export interface ModelTestFailure {
  /** 0 for what was given, 1 for the first step after it; the number after the last for the rebuild. */
  readonly step: number;
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
}

const PROPERTIES = { "delta.enableChangeDataFeed": "true", "delta.enableDeletionVectors": "true" };

/** Runs a test in a lake of its own. Undefined where all is as expected; errors of the model reject. */
export async function runModelTest(
  duckdb: DuckDb,
  pipeline: PipelineDefinition,
  test: ModelTest,
): Promise<ModelTestFailure | undefined> {
  const folder = await makeScratch();
  try {
    const bench = new Bench(folder, duckdb, pipeline, test);
    const steps: readonly ModelTestStep[] = [
      { ...(test.at === undefined ? {} : { at: test.at }), change: test.given, expect: test.expect },
      ...(test.steps ?? []),
    ];
    for (const [step, content] of steps.entries()) {
      await bench.apply(content, step);
      await bench.build(false);
      const failure = await bench.compare(content.expect, step);
      if (failure) return failure;
    }
    await bench.build(true);
    return await bench.compare(steps.at(-1)?.expect ?? [], steps.length);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

class Bench {
  private readonly lake: Lake;
  private readonly pipeline: PipelineDefinition;
  private readonly model: string;
  private readonly contracts: ReadonlyMap<string, AnyContract>;
  private changes = 0;
  /** Milliseconds since the epoch, as the models see it. */
  private now = Date.now();

  constructor(folder: string, duckdb: DuckDb, pipeline: PipelineDefinition, { model }: ModelTest) {
    // What a model keeps in another lake is none of a test's.
    const open = (address: string) => new LocalStore(`${folder}/other/${encodeURIComponent(address)}`);
    this.lake = new Lake(new LocalStore(`${folder}/lake`), duckdb, { open, now: () => this.now });
    this.pipeline = pipeline;
    this.model = model;
    this.contracts = new Map(
      (["silver", "gold"] as const).flatMap((layer) =>
        Object.entries(pipeline[layer] ?? {}).map(
          ([name, { contract }]) => [`${layer}.${name}`, contract] as const,
        ),
      ),
    );
    if (!this.contracts.has(model)) throw unknownTable(model, [...this.contracts.keys()]);
  }

  async apply({ at, change = {}, remove = {} }: ModelTestStep, step: number): Promise<void> {
    if (at !== undefined) this.now = instantOf(at);
    if (step === 0) await this.createInputs();
    for (const [reference, rows] of Object.entries(change)) {
      if (reference.startsWith("bronze.")) await this.writeBronze(reference, rows);
      else await this.writeModel(reference, rows, "change");
    }
    for (const [reference, rows] of Object.entries(remove)) await this.writeModel(reference, rows, "remove");
  }

  async build(anew: boolean): Promise<void> {
    const { lake, pipeline, model } = this;
    const names = [model];
    await build(
      {
        lake,
        concurrency: 1,
        onProgress: ignoreProgress,
        select: names,
        anew: anew ? names : [],
        // A few rows are not held against what is true of a whole table.
        withAudits: false,
      },
      pipeline,
    );
  }

  async compare(expected: ModelTestStep["expect"], step: number): Promise<ModelTestFailure | undefined> {
    const schema = contractSchema(this.contractOf(this.model));
    const named = new Set(expected.flatMap((row) => Object.keys(row)));
    const fields = named.size === 0 ? schema.fields : schema.fields.filter(({ name }) => named.has(name));
    const columns = identifiers(fields.map(({ name }) => name));
    const table = this.table(this.model);
    const found = `SELECT ${columns} FROM (${await scanSql(table.store, scannable(await table.existingSnapshot()))})`;
    return withSource({ rows: expected }, { type: "struct", fields }, async (wanted) => {
      const rows = (sql: string) =>
        this.lake.duckdb.rows(`SELECT to_json(t)::VARCHAR AS row FROM (${sql}) AS t ORDER BY ALL`);
      const missing = await rows(`SELECT ${columns} FROM (${wanted}) EXCEPT ALL ${found}`);
      const unexpected = await rows(`${found} EXCEPT ALL SELECT ${columns} FROM (${wanted})`);
      if (missing.length + unexpected.length === 0) return undefined;
      const texts = (list: typeof missing) => list.map(({ row }) => String(row));
      return { step, missing: texts(missing), unexpected: texts(unexpected) };
    });
  }

  /** Tables of silver and gold that the model may read, without rows. */
  private async createInputs(): Promise<void> {
    for (const [reference, contract] of this.contracts) {
      if (reference === this.model) continue;
      const schema = contractSchema(contract);
      await createTable(this.table(reference), {
        schema,
        properties: PROPERTIES,
        features: ["domainMetadata"],
      });
    }
  }

  private async writeModel(reference: string, rows: GivenRows, what: "change" | "remove"): Promise<void> {
    const contract = this.contractOf(reference);
    const key = contract.key.map((name) => `target.${identifier(name)} = source.${identifier(name)}`);
    const source = typeof rows === "string" ? rows : { rows };
    await mergeRows(this.table(reference), {
      source,
      on: key.join(" AND ") || "false",
      ...(what === "remove"
        ? { matched: [{ delete: true }] }
        : { matched: [{ update: "all" }], notMatched: [{ insert: "all" }] }),
    });
  }

  private async writeBronze(reference: string, rows: GivenRows): Promise<void> {
    if (typeof rows !== "string") throw bronzeRows(reference);
    const session = await this.lake.duckdb.session();
    try {
      const columns = await session.describe(rows);
      const own = columns.filter(({ name }) => name !== META.operation && name !== META.committedAt);
      const given = (name: string) => columns.some((column) => column.name === name);
      const operation = given(META.operation) ? META.operation : "'i'";
      const committedAt = given(META.committedAt) ? META.committedAt : "NULL";
      const names = identifiers(own.map(({ name }) => name));
      this.changes += 1;
      const sql = `SELECT ${names}, ${operation} AS ${META.operation}, ${this.changes * 100}::BIGINT AS ${META.lsn},
        row_number() OVER () AS ${META.sequence}, NULL::BIGINT AS ${META.transaction},
        ${committedAt}::TIMESTAMPTZ AS ${META.committedAt}, make_timestamptz(${this.now * 1000}::BIGINT) AS ${META.ingestedAt}, NULL::VARCHAR AS ${META.rescued} FROM (${rows})`;
      const table = this.table(reference);
      const schema: StructType = { type: "struct", fields: [...inferSchema(own).fields, ...META_FIELDS] };
      const configuration = JSON.stringify({ key: this.sourceKey() });
      await table.write({
        operation: "WRITE",
        base: await table.snapshot(),
        schema,
        staged: await table.stage(session, sql, schema),
        reads: "nothing",
        domains: [{ domain: SOURCE_DOMAIN, configuration, removed: false }],
      });
    } finally {
      await session.close();
    }
  }

  /** The key of the model, without the columns that Ingot adds. */
  private sourceKey(): string[] {
    const [layer = "", name = ""] = this.model.split(".");
    const model = this.pipeline[layer === "gold" ? "gold" : "silver"]?.[name];
    const added = model === undefined ? [] : addedColumns(model);
    return this.contractOf(this.model).key.filter((column) => !added.includes(column));
  }

  private contractOf(reference: string): AnyContract {
    const contract = this.contracts.get(reference);
    if (contract === undefined) throw unknownTable(reference, [...this.contracts.keys()]);
    return contract;
  }

  private table(reference: string) {
    const [layer = "", name = ""] = reference.split(".");
    const path: TablePath = `${this.pipeline.name}/${layer}/${name}`;
    return this.lake.table(path);
  }
}

function instantOf(at: string): number {
  const instant = Date.parse(at);
  if (/T.*(Z|[+-]\d\d:?\d\d)$/.test(at) && !Number.isNaN(instant)) return instant;
  throw new TerminalError("a test names a time that is none", {
    code: "MODEL_TEST",
    value: at,
    allowed: "a time with its zone, such as 2026-05-01T10:00:00Z",
  });
}

const unknownTable = (reference: string, known: readonly string[]) =>
  new TerminalError(`a test names ${reference}, which is no model of the pipeline`, {
    code: "MODEL_TEST",
    value: reference,
    allowed: known.join(", "),
  });

const bronzeRows = (reference: string) =>
  new TerminalError(`rows of ${reference} are given as SQL: bronze has no contract that would type them`, {
    code: "MODEL_TEST",
    value: reference,
    next: "Write SELECT … FROM (VALUES …), with a cast for each column's type.",
  });
