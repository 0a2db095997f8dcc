/** A shop: its operational database, cleaned, summed up and published. In the order in which rows flow. */
import {
  aggregate,
  definePipeline,
  full,
  merge,
  notNull,
  postgres,
  references,
  rowCount,
  sql,
  unique,
} from "ingot";
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

export const commerce = definePipeline({
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
    daily_sales: aggregate(dailySales, {
      audits: [
        sql(
          "every order counts on one day",
          `SELECT placed, orders
             FROM (SELECT coalesce(sum(placed), 0) AS placed FROM gold.daily_sales)
             CROSS JOIN (SELECT count(*) AS orders FROM silver.orders)
            WHERE placed <> orders`,
        ),
        // Days come one by one: where half of them are gone, or as many new, something else has happened.
        rowCount({ changeAtMost: 0.5 }).warn(),
      ],
    }),
    daily_conversion: aggregate(dailyConversion, {
      audits: [rowCount({ changeAtMost: 0.5 }).warn()],
    }),
    product_sales: aggregate(productSales, {
      audits: [
        // A product may arrive after what was sold of it.
        references("product_id", "silver.products", "id").warn(),
        sql(
          "quarters begin with their first day",
          "SELECT * FROM gold.product_sales WHERE quarter_start <> date_trunc('quarter', quarter_start)",
        ),
      ],
    }),
    // Figures over the groups.
    daily_revenue: full(dailyRevenue, {
      audits: [
        sql(
          "no day is missing",
          `SELECT day, before
             FROM (SELECT day, lag(day) OVER (ORDER BY day) AS before FROM gold.daily_revenue)
            WHERE day <> before + 1`,
        ),
        sql(
          "revenue is that of the sales",
          `SELECT shown, sold
             FROM (SELECT sum(revenue) AS shown FROM gold.daily_revenue)
             CROSS JOIN (SELECT sum(revenue) AS sold FROM gold.daily_sales)
            WHERE shown IS DISTINCT FROM sold`,
        ),
      ],
    }),
    abandoned_cart_rate: full(abandonedCartRate, { audits: [rowCount({ min: 1, max: 1 })] }),
    top_products_by_quarter: full(topProductsByQuarter, {
      audits: [
        rowCount({ max: 40 }),
        unique("quarter", "product_id"),
        // The product itself may arrive later; `references` of `product_sales` counts those.
        notNull("product_name").warn(),
      ],
    }),
  },

  publish: [
    { model: "abandoned_cart_rate", title: "Abandoned carts", as: { kind: "hash" } },
    {
      model: "top_products_by_quarter",
      title: "Best-selling products of the last four complete quarters",
      chart: { kind: "bars", label: "product_name", value: "units" },
    },
    {
      model: "daily_revenue",
      title: "Revenue by day",
      as: { kind: "series", time: "day" },
      chart: { kind: "line", label: "day", value: "revenue" },
    },
    {
      model: "daily_conversion",
      title: "Conversion by day",
      as: { kind: "series", time: "day" },
      chart: { kind: "line", label: "day", value: "conversion_rate" },
    },
  ],

  schedules: { refresh: { cron: "* * * * *" } },

  tests: async () => (await import("./tests.ts")).tests,

  // Loaded when they are called: no other command needs the shop's makers.
  bootstrap: async (context, options) => (await import("./source/bootstrap.ts")).bootstrap(context, options),
  simulate: async (context, options) => (await import("./source/simulate.ts")).simulate(context, options),
});
