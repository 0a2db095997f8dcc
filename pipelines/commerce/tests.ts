/** What the gold models make of a few rows, and of changes to them. */
import type { ModelTest } from "ingot";

const at = (day: string, hour = 10) => `${day}T${hour}:00:00Z`;
const order = (id: number, day: string, total: string, status = "paid") => ({
  id: BigInt(id),
  cart_id: BigInt(id),
  user_id: 1n,
  status,
  total,
  created_at: at(day),
  updated_at: at(day),
});
const cart = (id: number, day: string) => ({
  id: BigInt(id),
  user_id: 1n,
  created_at: at(day),
  updated_at: at(day),
});
const item = (id: number, order_id: number, product_id: number, quantity: number, unit_price: string) => ({
  id: BigInt(id),
  order_id: BigInt(order_id),
  product_id: BigInt(product_id),
  quantity,
  unit_price,
  updated_at: at("2026-05-01"),
});
const sale = (day: string, revenue: string, orders = 1n) => ({ day, placed: orders, orders, revenue });

export const tests: readonly ModelTest[] = [
  {
    name: "a cancelled order is placed and not sold; it leaves its day when it goes",
    model: "gold.daily_sales",
    given: {
      "silver.orders": [order(1, "2026-05-01", "10.00"), order(2, "2026-05-01", "5.00", "cancelled")],
    },
    expect: [{ day: "2026-05-01", placed: 2n, orders: 1n, revenue: "10.00" }],
    steps: [
      {
        change: {
          "silver.orders": [order(1, "2026-05-01", "10.00", "refunded"), order(3, "2026-05-02", "7.50")],
        },
        expect: [
          { day: "2026-05-01", placed: 2n, orders: 0n, revenue: "0.00" },
          { day: "2026-05-02", placed: 1n, orders: 1n, revenue: "7.50" },
        ],
      },
      {
        remove: { "silver.orders": [{ id: 1n }, { id: 2n }] },
        expect: [{ day: "2026-05-02", placed: 1n, orders: 1n, revenue: "7.50" }],
      },
    ],
  },
  {
    name: "an order counts for the day of its cart, whenever it comes",
    model: "gold.daily_conversion",
    given: { "silver.carts": [cart(1, "2026-05-01"), cart(2, "2026-05-01"), cart(3, "2026-05-02")] },
    expect: [
      { day: "2026-05-01", carts: 2n, orders: 0n, conversion_rate: 0 },
      { day: "2026-05-02", carts: 1n, orders: 0n, conversion_rate: 0 },
    ],
    steps: [
      {
        change: { "silver.orders": [order(2, "2026-06-30", "9.00")] },
        expect: [
          { day: "2026-05-01", carts: 2n, orders: 1n, conversion_rate: 0.5 },
          { day: "2026-05-02", carts: 1n, orders: 0n, conversion_rate: 0 },
        ],
      },
    ],
  },
  {
    name: "a product's units follow the status of their orders",
    model: "gold.product_sales",
    given: {
      "silver.orders": [order(1, "2026-05-01", "30.00"), order(2, "2026-08-01", "5.00")],
      "silver.order_items": [item(1, 1, 7, 3, "10.00"), item(2, 2, 7, 1, "5.00")],
    },
    expect: [
      { quarter_start: "2026-04-01", product_id: 7n, units: 3n, revenue: "30.00" },
      { quarter_start: "2026-07-01", product_id: 7n, units: 1n, revenue: "5.00" },
    ],
    steps: [
      {
        change: { "silver.orders": [order(1, "2026-05-01", "30.00", "refunded")] },
        expect: [{ quarter_start: "2026-07-01", product_id: 7n, units: 1n, revenue: "5.00" }],
      },
    ],
  },
  {
    name: "a day without orders is a day without revenue, and none follows it in percent",
    model: "gold.daily_revenue",
    given: { "gold.daily_sales": [sale("2026-05-01", "100.00"), sale("2026-05-03", "50.00")] },
    expect: [
      { day: "2026-05-01", revenue: "100.00", orders: 1n, previous_revenue: null, growth_percent: null },
      { day: "2026-05-02", revenue: "0.00", orders: 0n, previous_revenue: "100.00", growth_percent: -100 },
      { day: "2026-05-03", revenue: "50.00", orders: 1n, previous_revenue: "0.00", growth_percent: null },
    ],
    steps: [
      {
        change: { "gold.daily_sales": [sale("2026-05-02", "150.00")] },
        expect: [
          { day: "2026-05-01", growth_percent: null },
          { day: "2026-05-02", growth_percent: 50 },
          { day: "2026-05-03", growth_percent: -66.67 },
        ],
      },
    ],
  },
  {
    name: "the rate is that of all days",
    model: "gold.abandoned_cart_rate",
    given: {},
    expect: [{ carts: 0n, abandoned: 0n, rate: null }],
    steps: [
      {
        change: {
          "gold.daily_conversion": [
            { day: "2026-05-01", carts: 3n, orders: 1n, conversion_rate: 0.33 },
            { day: "2026-05-02", carts: 1n, orders: 0n, conversion_rate: 0 },
          ],
        },
        expect: [{ carts: 4n, abandoned: 3n, rate: 0.75 }],
      },
    ],
  },
  {
    name: "only complete quarters are ranked, ties by revenue",
    model: "gold.top_products_by_quarter",
    given: {
      "gold.daily_sales": [sale("2026-07-02", "1.00")],
      "gold.product_sales": [
        { quarter_start: "2026-04-01", product_id: 1n, units: 5n, revenue: "10.00" },
        { quarter_start: "2026-04-01", product_id: 2n, units: 5n, revenue: "20.00" },
        { quarter_start: "2026-07-01", product_id: 1n, units: 9n, revenue: "90.00" },
      ],
    },
    expect: [
      { quarter: "2026-Q2", rank: 1n, product_id: 2n, product_name: null, units: 5n, revenue: "20.00" },
      { quarter: "2026-Q2", rank: 2n, product_id: 1n, product_name: null, units: 5n, revenue: "10.00" },
    ],
    steps: [
      {
        remove: { "gold.product_sales": [{ quarter_start: "2026-04-01", product_id: 2n }] },
        expect: [{ quarter: "2026-Q2", rank: 1n, product_id: 1n, units: 5n, revenue: "10.00" }],
      },
    ],
  },
];
