-- What was ordered on each day (UTC), and what of it was sold. A day without orders has no row.
SELECT
  CAST(created_at AT TIME ZONE 'UTC' AS DATE) AS day,
  count(*) AS placed,
  -- Money that was never taken, or was given back, is no revenue.
  count(*) FILTER (WHERE status NOT IN ('cancelled', 'refunded')) AS orders,
  CAST(coalesce(sum(total) FILTER (WHERE status NOT IN ('cancelled', 'refunded')), 0) AS DECIMAL(18, 2)) AS revenue
FROM silver.orders
GROUP BY day
ORDER BY day
