import { expectTypeOf, it } from "vitest";
import type { MetricName, MetricRow } from "../../layers/publish/client-types.ts";
import type { commerce } from "../../pipelines/commerce/pipeline.ts";

type Commerce = typeof commerce;

it("types consumers of a whole pipeline by its contracts", () => {
  expectTypeOf<MetricName<Commerce>>().toEqualTypeOf<
    "abandoned_cart_rate" | "top_products_by_quarter" | "daily_revenue" | "daily_conversion"
  >();
  expectTypeOf<MetricRow<Commerce, "daily_revenue">>().toEqualTypeOf<{
    readonly day: string;
    readonly revenue: string;
    readonly orders: number | string;
    readonly previous_revenue: string | null;
    readonly growth_percent: number | null;
  }>();
});
