/** A shop: its operational database, cleaned, summed up and published. In the order in which rows flow. */
import { aggregate, full, merge, type PipelineDefinition, postgres } from "ingot";
import { cartItems, carts } from "../../schemas/commerce/carts.ts";
import { categories, products } from "../../schemas/commerce/catalogue.ts";
import {
  abandonedCartRate,
  dailyConversion,
  dailyRevenue,
  topProductsByQuarter,
} from "../../schemas/commerce/figures.ts";
import { orderItems, orders } from "../../schemas/commerce/orders.ts";
import { userActions, users } from "../../schemas/commerce/people.ts";
import { dailySales, productSales } from "../../schemas/commerce/sales.ts";

export const commerce: PipelineDefinition = {
  name: "commerce",
  folder: new URL(".", import.meta.url),

  source: postgres({
    // Every change of every table, deletions among them, out of the WAL.
    changes: "wal",
    tables: {
      categories: {},
      users: {},
      products: {},
      carts: {},
      cart_items: {},
      orders: {},
      order_items: {},
      user_actions: {},
    },
  }),

  silver: {
    categories: merge(categories),
    users: merge(users),
    products: merge(products),
    carts: merge(carts),
    cart_items: merge(cartItems),
    orders: merge(orders),
    order_items: merge(orderItems),
    user_actions: merge(userActions),
  },

  gold: {
    // Groups: a change of the shop costs those that it touches.
    daily_sales: aggregate(dailySales),
    daily_conversion: aggregate(dailyConversion),
    product_sales: aggregate(productSales),
    // Figures over the groups.
    daily_revenue: full(dailyRevenue),
    abandoned_cart_rate: full(abandonedCartRate),
    top_products_by_quarter: full(topProductsByQuarter),
  },

  publish: [
    { model: "abandoned_cart_rate", title: "Abandoned carts" },
    {
      model: "top_products_by_quarter",
      title: "Best-selling products of the last four complete quarters",
      chart: { kind: "bars", label: "product_name", value: "units" },
    },
    {
      model: "daily_revenue",
      title: "Revenue by day",
      chart: { kind: "line", label: "day", value: "revenue" },
    },
    {
      model: "daily_conversion",
      title: "Conversion by day",
      chart: { kind: "line", label: "day", value: "conversion_rate" },
    },
  ],

  tests: async () => (await import("./tests.ts")).tests,

  // Loaded when they are called: no other command needs the shop's makers.
  bootstrap: async (context, options) => (await import("./source/bootstrap.ts")).bootstrap(context, options),
  simulate: async (context, options) => (await import("./source/simulate.ts")).simulate(context, options),
};
