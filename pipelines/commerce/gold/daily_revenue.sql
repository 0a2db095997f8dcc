-- Revenue of each calendar day (UTC) and its change against the day before.
WITH bounds AS (
  SELECT
    CAST(min(created_at AT TIME ZONE 'UTC') AS DATE) AS first_day,
    CAST(max(created_at AT TIME ZONE 'UTC') AS DATE) AS last_day
  FROM silver.orders
),
days AS (
  -- Every day of the calendar, so that a day without orders counts as 0 instead of being skipped.
  SELECT CAST(unnest(generate_series(first_day, last_day, INTERVAL 1 DAY)) AS DATE) AS day
  FROM bounds
),
earned AS (
  SELECT
    CAST(created_at AT TIME ZONE 'UTC' AS DATE) AS day,
    sum(total) AS revenue,
    count(*) AS orders
  FROM silver.orders
  -- Money that was never taken, or was given back, is no revenue.
  WHERE status NOT IN ('cancelled', 'refunded')
  GROUP BY 1
),
daily AS (
  SELECT
    days.day,
    CAST(coalesce(earned.revenue, 0) AS DECIMAL(18, 2)) AS revenue,
    coalesce(earned.orders, 0) AS orders
  FROM days
  LEFT JOIN earned ON earned.day = days.day
),
compared AS (
  SELECT *, lag(revenue) OVER (ORDER BY day) AS previous_revenue
  FROM daily
)
SELECT
  day,
  revenue,
  orders,
  previous_revenue,
  round(100 * CAST(revenue - previous_revenue AS DOUBLE) / nullif(CAST(previous_revenue AS DOUBLE), 0), 2)
    AS growth_percent
FROM compared
ORDER BY day
