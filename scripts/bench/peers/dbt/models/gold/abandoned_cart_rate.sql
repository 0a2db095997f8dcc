{{ config(materialized='table') }}
-- Carts that no order refers to, of all carts. An order has one cart and a cart at most one order.
SELECT
  CAST(coalesce(sum(carts), 0) AS BIGINT) AS carts,
  CAST(coalesce(sum(carts - orders), 0) AS BIGINT) AS abandoned,
  -- NULL, not an error, where there is no cart.
  CAST(sum(carts - orders) AS DOUBLE) / nullif(sum(carts), 0) AS rate
FROM {{ ref('daily_conversion') }}
