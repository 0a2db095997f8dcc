{{ config(materialized='table') }}
-- Revenue of each calendar day (UTC) and its change against the day before.
WITH days AS (
  -- Every day of the calendar, so that a day without orders counts as 0 instead of being skipped.
  SELECT CAST(unnest(generate_series(min(day), max(day), INTERVAL 1 DAY)) AS DATE) AS day
  FROM {{ ref('daily_sales') }}
),
daily AS (
  SELECT
    days.day,
    CAST(coalesce(sales.revenue, 0) AS DECIMAL(18, 2)) AS revenue,
    coalesce(sales.orders, 0) AS orders
  FROM days
  LEFT JOIN {{ ref('daily_sales') }} AS sales ON sales.day = days.day
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
