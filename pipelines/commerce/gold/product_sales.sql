-- What was sold of each product in each quarter (UTC).
SELECT
  CAST(date_trunc('quarter', orders.created_at AT TIME ZONE 'UTC') AS DATE) AS quarter_start,
  items.product_id,
  CAST(sum(items.quantity) AS BIGINT) AS units,
  CAST(sum(items.quantity * items.unit_price) AS DECIMAL(18, 2)) AS revenue
FROM silver.orders AS orders
JOIN silver.order_items AS items ON items.order_id = orders.id
-- Money that was never taken, or was given back, is no revenue.
WHERE orders.status NOT IN ('cancelled', 'refunded')
GROUP BY quarter_start, items.product_id
