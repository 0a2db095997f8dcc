-- Of the carts made on each day (UTC), how many were ordered. A day without carts has no rate and no row.
SELECT
  CAST(carts.created_at AT TIME ZONE 'UTC' AS DATE) AS day,
  count(*) AS carts,
  count(orders.id) AS orders,
  CAST(count(orders.id) AS DOUBLE) / count(*) AS conversion_rate
FROM silver.carts AS carts
LEFT JOIN silver.orders AS orders ON orders.cart_id = carts.id
GROUP BY 1
ORDER BY day
