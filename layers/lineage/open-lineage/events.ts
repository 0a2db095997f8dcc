/**
 * A build as events of OpenLineage (specification 2-0-2): for every model that ran a START and a COMPLETE or FAIL, with
 * the columns of its table and where each comes from. Pure: the same run gives the same events.
 */
import { createHash } from "node:crypto";
import type { StructType } from "../../../lakehouse/delta/schema.ts";
import { isDirect, type Origin, ROWS } from "../origin.ts";
import type { ModelLineage } from "../pipeline-lineage.ts";
import { type Facets, facet, PRODUCER, schemaFacet } from "./facets.ts";

/** One model of a build. */
export interface ModelRunReport {
  /** `gold.daily_revenue` */
  readonly model: string;
  readonly sql: string;
  /** What it does, for catalogues. */
  readonly description: string;
  readonly schema: StructType;
  /** Tables that it read. */
  readonly inputs: readonly string[];
  readonly lineage: ModelLineage | undefined;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** What it wrote, or why it failed. */
  readonly outcome:
    | { readonly status: "done"; readonly rows: number; readonly bytes: number; readonly version?: number }
    | { readonly status: "failed"; readonly message: string };
}

/** A build of one pipeline. */
export interface BuildRun {
  /** UUID of the run. */
  readonly id: string;
  readonly pipeline: string;
  /** Namespace of its jobs. */
  readonly namespace: string;
  /** Root of the lake: an absolute folder, or `s3://bucket/prefix`. */
  readonly lakeRoot: string;
  readonly models: readonly ModelRunReport[];
}

/** An event as it is sent. */
export interface RunEvent {
  readonly eventType: "START" | "COMPLETE" | "FAIL";
  readonly eventTime: string;
  readonly producer: string;
  readonly schemaURL: string;
  readonly run: { readonly runId: string; readonly facets: Facets };
  readonly job: { readonly namespace: string; readonly name: string; readonly facets: Facets };
  readonly inputs: readonly Dataset[];
  readonly outputs: readonly (Dataset & { readonly facets: Facets; readonly outputFacets: Facets })[];
}

interface Dataset {
  readonly namespace: string;
  readonly name: string;
}

/** Events of all models of a build, in the order of time. */
export function openLineageEvents(run: BuildRun): RunEvent[] {
  return run.models
    .flatMap((model) => modelEvents(run, model))
    .sort((a, b) => (a.eventTime < b.eventTime ? -1 : a.eventTime > b.eventTime ? 1 : 0));
}

function modelEvents(run: BuildRun, model: ModelRunReport): RunEvent[] {
  const { outcome } = model;
  const own = dataset(run, model.model);
  const facets = {
    documentation: facet("DocumentationDatasetFacet", { description: model.description }),
    schema: schemaFacet(model.schema),
    ...(model.lineage ? { columnLineage: columnLineage(run, model.lineage) } : {}),
  };
  const base = {
    producer: PRODUCER,
    schemaURL: "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    job: {
      namespace: run.namespace,
      name: `${run.pipeline}.${model.model}`,
      facets: {
        jobType: facet("JobTypeJobFacet", {
          processingType: "BATCH",
          integration: "INGOT",
          jobType: "MODEL",
        }),
        sql: facet("SQLJobFacet", { query: model.sql, dialect: "duckdb" }),
      },
    },
    inputs: model.inputs.map((input) => dataset(run, input)),
  };
  const parent = facet("ParentRunFacet", {
    run: { runId: run.id },
    job: { namespace: run.namespace, name: `${run.pipeline}.build` },
  });
  const runId = modelRunId(run.id, model.model);
  const failed = outcome.status === "failed";
  const written = failed
    ? {}
    : {
        outputStatistics: facet("OutputStatisticsOutputDatasetFacet", {
          rowCount: outcome.rows,
          size: outcome.bytes,
        }),
      };
  const version =
    failed || outcome.version === undefined
      ? {}
      : { version: facet("DatasetVersionDatasetFacet", { datasetVersion: String(outcome.version) }) };
  const error = failed
    ? {
        errorMessage: facet("ErrorMessageRunFacet", { message: outcome.message, programmingLanguage: "SQL" }),
      }
    : {};
  return [
    {
      eventType: "START",
      eventTime: new Date(model.startedAt).toISOString(),
      ...base,
      run: { runId, facets: { parent } },
      outputs: [{ ...own, facets, outputFacets: {} }],
    },
    {
      eventType: failed ? "FAIL" : "COMPLETE",
      // Never before its own start, whatever the clock did.
      eventTime: new Date(Math.max(model.startedAt, model.endedAt)).toISOString(),
      ...base,
      run: { runId, facets: { parent, ...error } },
      outputs: [{ ...own, facets: { ...facets, ...version }, outputFacets: written }],
    },
  ];
}

/** Naming of OpenLineage: `s3://bucket` and the key, or `file` and the path. */
function dataset({ lakeRoot, pipeline }: BuildRun, table: string): Dataset {
  const path = `${pipeline}/${table.replace(".", "/")}`;
  const [, bucket, prefix = ""] = /^(s3:\/\/[^/]+)\/?(.*)$/.exec(lakeRoot) ?? [];
  const root = (bucket === undefined ? lakeRoot : prefix).replace(/\/+$/, "");
  return {
    namespace: bucket ?? "file",
    name: root === "" && bucket !== undefined ? path : `${root}/${path}`,
  };
}

function columnLineage(run: BuildRun, { columns, rows }: ModelLineage) {
  // Rows are no field; that a model reads a table is said by its inputs.
  const fields = (origins: readonly Origin[]) =>
    inputFields(
      run,
      origins.filter(({ column }) => column !== ROWS),
    );
  return facet("ColumnLineageDatasetFacet", {
    fields: Object.fromEntries(
      [...columns].map(([name, origins]) => [name, { inputFields: fields(origins) }]),
    ),
    dataset: fields(rows),
  });
}

/** Each input column once, with all the ways in which it goes in. */
function inputFields(run: BuildRun, origins: readonly Origin[]) {
  const fields = new Map<string, Dataset & { field: string; transformations: object[] }>();
  for (const { table, column, how } of origins) {
    const key = `${table} ${column}`;
    const field = fields.get(key) ?? { ...dataset(run, table), field: column, transformations: [] };
    const type = isDirect(how) ? "DIRECT" : "INDIRECT";
    field.transformations.push({ type, subtype: how.toUpperCase(), description: "", masking: false });
    fields.set(key, field);
  }
  return [...fields.values()];
}

/** A UUID (version 5 in form) of a model within a run: the same for both of its events. */
function modelRunId(run: string, model: string): string {
  const hex = createHash("sha256").update(`${run} ${model}`).digest("hex");
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(18, 20)}-${hex.slice(20, 32)}`;
}
