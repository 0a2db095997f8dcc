/** What the declarations of a pipeline say of what its consumers read, as types. */
import type { ValueOf } from "../../schemas/column.ts";
import type { Columns } from "../../schemas/table.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import type { PublishedMetric } from "../definition/published.ts";
import type { PublishedRow, VersionStamp } from "./target.ts";

/**
 * A pipeline whose type keeps its names: what `createMetricsClient<typeof pipeline>` goes by. Columns are known of models
 * whose type keeps their contract.
 */
export const definePipeline = <const P extends PipelineDefinition>(pipeline: P): P => pipeline;

/** What JSON makes of a value: integers that JavaScript does not hold exactly are text, instants are ISO 8601. */
export type JsonOf<T> = T extends bigint
  ? number | string
  : T extends Date
    ? string
    : T extends readonly (infer E)[]
      ? readonly JsonOf<E>[]
      : T extends object
        ? { readonly [K in keyof T]: JsonOf<T[K]> }
        : T;

/** A part of a lookup's key. */
export type KeyPart = string | number | bigint;

type DeclaredOf<P extends PipelineDefinition> = NonNullable<P["publish"]>[number];
type NameOf<D extends PublishedMetric> = D extends { readonly name: infer N extends string } ? N : D["model"];
type IsLookup = { readonly as: { readonly kind: "lookup" } };
type Named<D extends PublishedMetric, N> = D extends unknown ? (N extends NameOf<D> ? D : never) : never;

/** Names under which the sets of a pipeline are published. */
export type MetricName<P extends PipelineDefinition> = NameOf<DeclaredOf<P>>;

/** Those that are lookups. */
export type LookupName<P extends PipelineDefinition> =
  string extends MetricName<P> ? string : NameOf<Extract<DeclaredOf<P>, IsLookup>>;

type ColumnsOf<P extends PipelineDefinition, M extends string> = P extends {
  readonly gold: { readonly [K in M]: { readonly contract: { readonly columns: infer C extends Columns } } };
}
  ? C
  : Columns;

type RowOfColumns<C extends Columns> = string extends keyof C
  ? PublishedRow
  : { readonly [K in keyof C]: JsonOf<ValueOf<C[K]>> };

type RowOfDeclared<P extends PipelineDefinition, D> = D extends PublishedMetric
  ? D extends { readonly sql: string }
    ? PublishedRow
    : D extends { readonly columns: readonly (infer K)[] }
      ? Pick<RowOfColumns<ColumnsOf<P, D["model"]>>, K & keyof RowOfColumns<ColumnsOf<P, D["model"]>>>
      : RowOfColumns<ColumnsOf<P, D["model"]>>
  : never;

/** A row of a set: the columns of its contract that are published. Of a set with SQL of its own nothing is known. */
export type MetricRow<P extends PipelineDefinition, N extends MetricName<P>> =
  string extends MetricName<P> ? PublishedRow : RowOfDeclared<P, Named<DeclaredOf<P>, N>>;

/** The parts of a lookup's key: as many as `by` names, or those of the contract's key, in its order. */
export type LookupKey<P extends PipelineDefinition, N> =
  Named<DeclaredOf<P>, N> extends { readonly as: { readonly by: infer B extends readonly string[] } }
    ? { readonly [I in keyof B]: KeyPart }
    : readonly [KeyPart, ...KeyPart[]];

/** One version of a set, whole. */
export interface MetricVersion<P extends PipelineDefinition, N extends MetricName<P>> extends VersionStamp {
  readonly rows: readonly MetricRow<P, N>[];
}
