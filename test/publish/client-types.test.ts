/** What a pipeline declares is what its consumers are typed by: a name that changes breaks their compile. */
import { expectTypeOf, it } from "vitest";
import { postgres } from "../../layers/definition/pipeline.ts";
import { createMetricsClient, type PipelineMetrics } from "../../layers/publish/client.ts";
import {
  definePipeline,
  type JsonOf,
  type MetricName,
  type MetricRow,
} from "../../layers/publish/client-types.ts";
import type { PublishedRow } from "../../layers/publish/target.ts";
import {
  array,
  boolean,
  date,
  decimal,
  defineTable,
  double,
  long,
  oneOf,
  struct,
  text,
  timestamp,
} from "../../schemas/index.ts";

const sales = defineTable({
  name: "sales",
  description: "sales",
  key: ["product", "day"],
  columns: {
    product: long(),
    day: date(),
    at: timestamp().nullable(),
    revenue: decimal(18, 2),
    rate: double(),
    state: oneOf("open", "closed"),
    isNew: boolean(),
    tags: array(long()),
    place: struct({ city: text(), since: timestamp() }).nullable(),
  },
});

const pipeline = definePipeline({
  name: "shop",
  source: postgres({ tables: {} }),
  gold: { sales: { kind: "full", contract: sales } },
  publish: [
    { model: "sales", title: "Sales" },
    {
      model: "sales",
      name: "part",
      title: "Part",
      columns: ["product", "revenue"],
      as: { kind: "lookup", by: ["product"] },
    },
    { model: "sales", name: "by_key", title: "By key", as: { kind: "lookup" } },
    { model: "sales", name: "own", title: "Own", sql: "SELECT 1 AS one" },
  ],
});
type Shop = typeof pipeline;
/** Never called: what it holds has to compile. */
type Client = PipelineMetrics<Shop>;

interface SalesRow {
  readonly product: number | string;
  readonly day: string;
  readonly at: string | null;
  readonly revenue: string;
  readonly rate: number;
  readonly state: "open" | "closed";
  readonly isNew: boolean;
  readonly tags: readonly (number | string)[];
  readonly place: { readonly city: string; readonly since: string } | null;
}

it("knows the names of sets and the columns of their rows, as JSON has them", () => {
  expectTypeOf<MetricName<Shop>>().toEqualTypeOf<"sales" | "part" | "by_key" | "own">();
  expectTypeOf<MetricRow<Shop, "sales">>().toEqualTypeOf<SalesRow>();
  expectTypeOf<MetricRow<Shop, "part">>().toEqualTypeOf<Pick<SalesRow, "product" | "revenue">>();
  expectTypeOf<MetricRow<Shop, "own">>().toEqualTypeOf<PublishedRow>();
  expectTypeOf<JsonOf<bigint | Date | null>>().toEqualTypeOf<number | string | null>();
});

it("takes what is declared, and nothing else", () => {
  const use = async (client: Client) => {
    const version = await client.get("sales");
    expectTypeOf(version?.rows[0]?.revenue).toEqualTypeOf<string | undefined>();
    const row = await client.row("part", 7n);
    expectTypeOf(row?.product).toEqualTypeOf<number | string | undefined>();
    await client.row("by_key", 7, "2026-01-01");
    await client.subscribe("part", ({ version: number }) => {
      expectTypeOf(number).toEqualTypeOf<number>();
    });
    // @ts-expect-error: no set has this name
    await client.get("sale");
    // @ts-expect-error: nor this one
    await client.subscribe("sale", () => {});
    // @ts-expect-error: the contract has no such column
    version?.rows[0]?.turnover;
    // @ts-expect-error: the column is not published
    row?.day;
    // @ts-expect-error: it is text, so that nothing is rounded
    version?.rows[0]?.revenue.toFixed(2);
    // @ts-expect-error: this set is no lookup
    await client.row("sales", 7);
    // @ts-expect-error: its key has one part
    await client.row("part", 7, 8);
    // @ts-expect-error: a key has parts
    await client.row("by_key");
  };
  expectTypeOf(use).toBeFunction();
});

it("is asked for by the pipeline's name, and leaves clients of any pipeline as they are", () => {
  const make = async () => {
    const typed = await createMetricsClient<Shop>({ lake: "./lake", pipeline: "shop" });
    expectTypeOf(typed).toEqualTypeOf<Client>();
    // @ts-expect-error: the pipeline has another name
    await createMetricsClient<Shop>({ lake: "./lake", pipeline: "stock" });
    const any = await createMetricsClient({ redis: "redis://localhost" });
    expectTypeOf((await any.get("shop", "whatever"))?.rows).toEqualTypeOf<
      readonly PublishedRow[] | undefined
    >();
    const untyped = await createMetricsClient({ lake: "./lake", pipeline: "shop" });
    expectTypeOf((await untyped.get("whatever"))?.rows).toEqualTypeOf<readonly PublishedRow[] | undefined>();
    await untyped.row("whatever", "key");
  };
  expectTypeOf(make).toBeFunction();
});
