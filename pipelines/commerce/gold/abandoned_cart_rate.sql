-- Carts that no order refers to, of all carts. An order has one cart and a cart at most one order.
SELECT
  count(*) AS carts,
  count(*) FILTER (WHERE orders.id IS NULL) AS abandoned,
  -- NULL, not an error, where there is no cart.
  CAST(count(*) FILTER (WHERE orders.id IS NULL) AS DOUBLE) / nullif(count(*), 0) AS rate
FROM silver.carts AS carts
LEFT JOIN silver.orders AS orders ON orders.cart_id = carts.id
ORDER BY carts
