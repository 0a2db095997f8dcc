/** From figures back to their sources: the rows that rows of a table were made of, table by table down to bronze. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { duckdbType } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Row, Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, identifiers, literal } from "../../lakehouse/duckdb/quote.ts";
import { messageOf, TerminalError } from "../../lakehouse/errors.ts";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import { META, META_COLUMNS } from "../definition/bronze-columns.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import type { PipelineLineage } from "../lineage/pipeline-lineage.ts";
import { lineageOf } from "../lineage/read-lineage.ts";
import type { Model } from "../models/planned-model.ts";
import { FILE_PATH, originsOf, positionOf } from "./bronze-origin.ts";
import { inputsOf } from "./made-from.ts";
import { type FoundRows, NOTHING, rowsBehind } from "./rows-behind.ts";
import type { TracedTable } from "./traced.ts";

export interface TraceRequest {
  /** `gold.daily_revenue` */
  readonly table: string;
  /** Conditions of the rows, all of which they fulfil: column and value as text. */
  readonly where: readonly (readonly [column: string, value: string])[];
  /** Shows the columns of the key and those that this one comes from; all by default. */
  readonly column?: string | undefined;
  /** Version of the table; the newest by default. */
  readonly version?: number | undefined;
  /** Rows of each table that are shown. */
  readonly limit: number;
  /** Columns of a table whose values are not shown. */
  readonly hidden: (table: string) => ReadonlySet<string>;
}

/** Traces rows. Throws `TRACE_COLUMN`, `TRACE_VALUE`. */
export async function traceRows(
  lake: Lake,
  pipeline: PipelineDefinition,
  request: TraceRequest,
): Promise<TracedTable> {
  const { models, lineage } = await lineageOf(lake, pipeline);
  const session = await lake.duckdb.session();
  try {
    const byName = new Map(models.map((model) => [model.name, model]));
    const tracer = new Tracer(lake, pipeline.name, byName, lineage, session, request);
    return await tracer.trace();
  } finally {
    await session.close();
  }
}

/** A table of the session with rows that were found. */
interface At {
  readonly table: string;
  readonly snapshot: Snapshot;
  readonly found: FoundRows;
  /** Table of the session with the keys to follow where the rows are gone; by default those that were found. */
  readonly keys?: string | undefined;
  /** Columns to show; undefined for all. */
  readonly wanted: ReadonlySet<string> | undefined;
  readonly notes: readonly string[];
}

class Tracer {
  private readonly lake: Lake;
  private readonly pipeline: string;
  private readonly models: ReadonlyMap<string, Model>;
  private readonly lineage: PipelineLineage;
  private readonly session: Session;
  private readonly request: TraceRequest;
  private sequence = 0;

  constructor(
    lake: Lake,
    pipeline: string,
    models: ReadonlyMap<string, Model>,
    lineage: PipelineLineage,
    session: Session,
    request: TraceRequest,
  ) {
    this.lake = lake;
    this.pipeline = pipeline;
    this.models = models;
    this.lineage = lineage;
    this.session = session;
    this.request = request;
  }

  async trace(): Promise<TracedTable> {
    const { table, where, column, version } = this.request;
    const target = this.table(table);
    const snapshot = await target.existingSnapshot(version);
    const conditions: string[] = [];
    for (const [name, value] of where) conditions.push(await this.condition(snapshot, name, value));
    if (column !== undefined) this.fieldOf(snapshot, column);
    const rows = await scanSql(target.store, scannable(snapshot), { filePath: FILE_PATH });
    const relation = this.relation();
    await this.session.run(
      `CREATE TABLE ${relation} AS SELECT * FROM (${rows}) WHERE ${conditions.join(" AND ") || "true"}`,
    );
    const wanted = column === undefined ? undefined : new Set([...this.keyOf(table), column]);
    const keys = await this.goneKeys(snapshot, relation);
    const notes = keys === undefined ? [] : ["the table has no such row: what follows is found by the key"];
    return this.visit({
      ...{ table, snapshot, keys, wanted, notes },
      found: { relation, foundBy: "asked", by: [] },
    });
  }

  /** Where no row fulfils conditions on the whole key of a model, a table of one row that has this key and no more. */
  private async goneKeys(snapshot: Snapshot, relation: string): Promise<string | undefined> {
    const model = this.models.get(this.request.table);
    const asked = new Map(
      this.request.where.map(([name, value]) => [this.fieldOf(snapshot, name).name, value]),
    );
    const key = model?.contract.key ?? [];
    if (key.length === 0 || !key.every((name) => asked.has(name))) return undefined;
    if ((await this.session.rows(`SELECT 1 FROM ${relation} LIMIT 1`)).length > 0) return undefined;
    const values = snapshot.schema.fields.map(({ name, type }) => {
      const value = key.includes(name) ? asked.get(name) : undefined;
      return `CAST(${value === undefined ? "NULL" : literal(value)} AS ${duckdbType(type)}) AS ${identifier(name)}`;
    });
    const keys = this.relation();
    await this.session.run(`CREATE TABLE ${keys} AS SELECT ${values.join(", ")}`);
    return keys;
  }

  private async visit({ table, snapshot, found, keys, wanted, notes }: At): Promise<TracedTable> {
    const { relation, foundBy, by } = found;
    const model = this.models.get(table);
    const isBronze = table.startsWith("bronze.");
    const [columns, rows, shown] = await this.rowsOf(table, snapshot, relation, wanted);
    const inputs = model === undefined ? [] : await this.inputs(model, snapshot, keys ?? relation, wanted);
    const position = isBronze ? positionOf(snapshot) : undefined;
    return {
      table,
      version: snapshot.version,
      foundBy,
      by,
      rows,
      columns,
      shown: shown.map((row) => columns.map((name) => row[name])),
      ...(isBronze ? { origins: await originsOf(this.table(table), snapshot, shown) } : {}),
      ...(position === undefined ? {} : { position }),
      notes,
      inputs,
    };
  }

  /** What the rows of a model, in `relation`, were made of. */
  private async inputs(
    model: Model,
    base: Snapshot,
    relation: string | undefined,
    wanted: ReadonlySet<string> | undefined,
  ): Promise<TracedTable[]> {
    const made = await inputsOf(this.lake, this.pipeline, model, base);
    const run = {
      model,
      session: this.session,
      target: this.table(model.name),
      quarantine: undefined,
      base,
      inputs: new Map(made.map(({ reference, snapshot }) => [reference, snapshot])),
      tables: new Map(made.map(({ reference }) => [reference, this.table(reference)])),
      consumed: undefined,
    };
    const lineage = this.lineage.models.get(model.name);
    const found =
      relation === undefined ? undefined : await rowsBehind(run, relation, lineage, this.relation());
    const traced: TracedTable[] = [];
    for (const { reference, snapshot, note } of made) {
      traced.push(
        await this.visit({
          table: reference,
          snapshot,
          found: found?.get(reference) ?? NOTHING,
          wanted: this.wantedOf(model, reference, wanted),
          notes: note === undefined ? [] : [note],
        }),
      );
    }
    return traced;
  }

  /** Of an input the columns that wanted ones come from, and its key. */
  private wantedOf(
    model: Model,
    reference: string,
    wanted: ReadonlySet<string> | undefined,
  ): ReadonlySet<string> | undefined {
    if (wanted === undefined) return undefined;
    const lineage = this.lineage.models.get(model.name);
    const origins = [...wanted].flatMap((name) => lineage?.columns.get(name) ?? []);
    const names = origins.flatMap(({ table, column }) => (table === reference ? column : []));
    return new Set([...this.keyOf(reference), ...names]);
  }

  private keyOf(table: string): readonly string[] {
    const merged = [...this.models.values()].find(
      (model) => model.kind === "merge" && model.references.includes(table),
    );
    return (this.models.get(table) ?? merged)?.contract.key ?? [];
  }

  private async rowsOf(
    table: string,
    { schema }: Snapshot,
    relation: string | undefined,
    wanted: ReadonlySet<string> | undefined,
  ): Promise<[columns: string[], count: number, shown: Row[]]> {
    const own = schema.fields.map(({ name }) => name).filter((name) => !META_COLUMNS.includes(name));
    const columns = own.filter((name) => wanted === undefined || wanted.has(name));
    if (relation === undefined) return [columns, 0, []];
    const [counted] = await this.session.rows(`SELECT count(*) AS rows FROM ${relation}`);
    const hidden = this.request.hidden(table);
    const values = columns.map((name) =>
      hidden.has(name) ? `'(hidden)' AS ${identifier(name)}` : identifier(name),
    );
    const isBronze = table.startsWith("bronze.");
    const key = this.keyOf(table).filter((name) => own.includes(name));
    const order = isBronze ? [`${META.lsn} DESC`, `${META.sequence} DESC`] : key.map(identifier);
    const extra = isBronze ? [...Object.values(META).map(identifier), FILE_PATH] : [];
    const shown = await this.session.rows(
      `SELECT ${[...values, ...extra].join(", ") || "1"} FROM ${relation} ORDER BY ${order.join(", ") || "ALL"} LIMIT ${this.request.limit}`,
    );
    return [columns, Number(counted?.rows), shown];
  }

  private fieldOf({ schema }: Snapshot, name: string) {
    const field = schema.fields.find((f) => f.name.toLowerCase() === name.toLowerCase());
    if (field !== undefined) return field;
    throw new TerminalError(`${this.request.table} has no column ${name}`, {
      code: "TRACE_COLUMN",
      value: name,
      allowed: schema.fields.map((f) => f.name).join(", "),
    });
  }

  private async condition(snapshot: Snapshot, name: string, value: string): Promise<string> {
    const field = this.fieldOf(snapshot, name);
    const typed = `CAST(${literal(value)} AS ${duckdbType(field.type)})`;
    try {
      await this.session.rows(`SELECT ${typed}`);
    } catch (cause) {
      throw new TerminalError(`${value} is no value of ${field.name}: ${messageOf(cause)}`, {
        code: "TRACE_VALUE",
        value,
        allowed: `a value of ${duckdbType(field.type)}`,
        cause,
      });
    }
    return `${identifiers([field.name])} IS NOT DISTINCT FROM ${typed}`;
  }

  private table(reference: string) {
    const [layer = "", name = ""] = reference.split(".");
    const path: TablePath = `${this.pipeline}/${layer}/${name}`;
    return this.lake.table(path);
  }

  private relation(): string {
    this.sequence += 1;
    return `traced_${this.sequence}`;
  }
}
