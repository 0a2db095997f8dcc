/** A random graph of models of all kinds, each over tables of the source and of models before it; any numbers make a valid one. */
import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { full, type ModelDefinition, snapshot } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { type Columns, date, long, text, timestamp } from "../../schemas/index.ts";
import { Choices, Expressions } from "./random-expression.ts";
import { groupsModel, whole, windowsModel } from "./random-groups.ts";
import { fromOne, type Relation } from "./random-join.ts";
import {
  appendModel,
  asInput,
  BRONZE,
  mergeModel,
  Outputs,
  type RandomModel,
  scd2Model,
} from "./random-rows.ts";

type Relations = readonly [Relation, ...Relation[]];
type Make = (
  choices: Choices,
  name: string,
  relations: Relations,
) => RandomModel & { readonly relation: Relation };

function fullModel(choices: Choices, name: string, relations: Relations) {
  const { outputs, key, sql } = whole(choices, relations);
  const definition = full(outputs.contract(choices, name, key));
  return { layer: "gold", name, definition, sql, ...asInput("gold", name, outputs, key) } as const;
}

function snapshotModel(choices: Choices, name: string, relations: Relations) {
  const { outputs, key, sql } = whole(choices, relations);
  const every = choices.pick("day", "hour");
  outputs.add(every === "hour" ? "timestamp" : "date", undefined, { name: "day", isNullable: false });
  // Without a key, an image has one row: what is in it may be anything.
  const isKeyed = key.length > 0;
  const keys = ["day", ...key];
  const one = isKeyed ? sql : `SELECT * FROM (${sql}) ORDER BY ALL LIMIT 1`;
  const definition = snapshot(outputs.contract(choices, name, keys), { every });
  return { layer: "gold", name, definition, sql: one, ...asInput("gold", name, outputs, keys) } as const;
}

const asLong = (value: unknown) => (typeof value === "bigint" ? value : 0n);
const asNumber = (value: unknown) => (value instanceof Date ? value.getTime() / 3_600_000 : Number(value));

function statefulModel(choices: Choices, name: string, relations: Relations) {
  const source = fromOne(choices.pick(...relations));
  const values = new Expressions(choices, source.items);
  const [relation] = source.relations;
  const [byType, orderType] = [choices.pick("long", "text"), choices.pick("long", "timestamp")] as const;
  const columns = { long, text, timestamp, date };
  const where = choices.oneIn(3) ? ` WHERE ${values.predicate()}` : "";
  const given = { b: values.present(byType), o: values.present(orderType), v: values.any("long") };
  const input: Record<string, Columns[string]> = {
    b: columns[byType](),
    o: columns[orderType](),
    v: long().nullable(),
  };
  const outputs = new Outputs();
  outputs.add(byType, undefined, { name: "b", isNullable: false });
  outputs.add(orderType, undefined, { name: "o", isNullable: false });
  outputs.add("long", undefined, { name: "n", isNullable: false });
  const own = (relation?.columns ?? []).filter(
    ({ name: column, type }) => relation?.key.includes(column) && type !== "double",
  );
  const items = own.map((column, i) => ({ ...column, sql: identifier(column.name), name: `k${i}` }));
  const form = choices.pick("newest", "spans", ...(items.length > 0 ? ["each" as const] : []));
  let order = ["o"];
  let [key, step]: [string[], NonNullable<ModelDefinition["step"]>] = [
    ["b"],
    (last, { v }) => (asLong(v) < 0n && last ? [] : [{ n: asLong(last?.n) + asLong(v) }]),
  ];
  if (form === "spans") {
    outputs.add(orderType, undefined, { name: "began", isNullable: false });
    key = ["b", "began"];
    step = (last, { o }) =>
      last === undefined || asNumber(o) - asNumber(last.o) > 2
        ? [{ began: o, n: 1n }]
        : [{ ...last, n: asLong(last.n) + 1n }];
  }
  if (form === "each") {
    for (const { name: column, type } of items) {
      outputs.add(type, undefined, { name: column, isNullable: false });
      input[column] = { long, text, timestamp, date, double: long }[type]();
    }
    order = ["o", ...items.map((item) => item.name)];
    key = ["b", ...order];
    step = (last, { v }) => [{ n: asLong(last?.n) + asLong(v) }];
  }
  const select = [
    ...Object.entries(given).map(([column, sql]) => `${sql} AS ${column}`),
    ...(form === "each" ? items.map((item) => `${item.sql} AS ${item.name}`) : []),
  ];
  const sql = `SELECT ${select.join(", ")} FROM ${source.sql}${where}`;
  const contract = outputs.contract(choices, name, key);
  const definition: ModelDefinition = { kind: "stateful", contract, input, by: ["b"], order, step };
  return { layer: "gold", name, definition, sql, ...asInput("gold", name, outputs, key) } as const;
}

const KINDS = {
  merge: mergeModel,
  append: appendModel,
  scd2: scd2Model,
  groups: groupsModel,
  windows: windowsModel,
  full: fullModel,
  snapshot: snapshotModel,
  stateful: statefulModel,
} satisfies Record<string, Make>;
type Kind = keyof typeof KINDS;

/** Choices: of so many numbers as many as are kept, so that what is wrong with a graph is found in a simpler one soon. */
const numbers = fc
  .tuple(
    fc.noShrink(fc.array(fc.nat({ max: 999 }), { minLength: 60, maxLength: 60 })),
    fc.constantFrom(0, 2, 4, 6, 9, 12, 15, 20, 25, 30, ...Array<number>(20).fill(60)),
  )
  .map(([drawn, kept]) => drawn.slice(0, kept));
const modelsOf = (maxLength: number, ...kinds: Kind[]) =>
  fc.array(fc.record({ kind: fc.constantFrom(...kinds), numbers }), { minLength: 1, maxLength, size: "max" });
/** What a graph is made of: fewer models and smaller numbers make simpler ones. */
export const graphs = fc
  .tuple(
    modelsOf(3, "merge", "merge", "append", "scd2"),
    modelsOf(5, "groups", "groups", "groups", "windows", "full", "full", "snapshot", "stateful", "stateful"),
  )
  .map((parts) => parts.flat());
type GraphSpec = typeof graphs extends fc.Arbitrary<infer T> ? T : never;

export interface RandomGraph {
  readonly pipeline: PipelineDefinition;
  readonly models: readonly RandomModel[];
  /** Addresses of the models' tables in the pipeline, `silver/m0`. */
  readonly tables: readonly `${string}/${string}`[];
  /** The models as one would write them down. */
  readonly text: string;
}

/** Makes the models and writes their SQL into a folder. */
export async function randomGraph(spec: GraphSpec, root: string): Promise<RandomGraph> {
  const models: RandomModel[] = [];
  const made: Relation[] = [];
  for (const [i, { kind: chosen, numbers }] of spec.entries()) {
    const choices = new Choices(numbers);
    // The newest come first, and bronze is seldom read, so that graphs become deep.
    const [first, ...others] = choices.oneIn(8) ? [] : made;
    const relations: Relations = first === undefined ? BRONZE : [first, ...others];
    const make: Make = KINDS[chosen];
    const { relation, ...model } = make(choices, `m${i}`, relations);
    models.push(model);
    made.unshift(relation);
  }
  for (const { layer, name, sql } of models) {
    await mkdir(`${root}/${layer}`, { recursive: true });
    await writeFile(`${root}/${layer}/${name}.sql`, sql);
  }
  const of = (wanted: string) =>
    Object.fromEntries(
      models.flatMap(({ layer, name, definition }) => (layer === wanted ? [[name, definition]] : [])),
    );
  const pipeline = {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { orders: {}, customers: {}, regions: {} } }),
    silver: of("silver"),
    gold: of("gold"),
  };
  const tables = models.map(({ layer, name }) => `${layer}/${name}` as const);
  return { pipeline, models, tables, text: models.map(textOf).join("\n") };
}

function textOf({ layer, name, definition, sql }: RandomModel): string {
  const { kind: of, contract, touches, reach, by, order, step, every } = definition;
  const columns = Object.entries(contract.columns).map(
    ([column, { type, isNullable }]) => `${column} ${String(type)}${isNullable ? "?" : ""}`,
  );
  const { key, partitionBy } = contract;
  const said = JSON.stringify({
    key,
    partitionBy,
    touches,
    reach,
    by,
    order,
    every,
    step: step && String(step),
  });
  return `${layer}.${name} ${of}(${columns.join(", ")}) ${said}\n  ${sql}`;
}
