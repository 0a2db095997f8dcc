-- The ten best-selling products of each of the last four complete quarters (UTC).
WITH latest AS (
  -- The quarter that still goes on is that of the newest order, not of the clock: the figure depends on nothing but
  -- the data, and a rebuild next year gives what it gives today.
  SELECT date_trunc('quarter', max(created_at AT TIME ZONE 'UTC')) AS current_quarter
  FROM silver.orders
),
sold AS (
  SELECT orders.id, date_trunc('quarter', orders.created_at AT TIME ZONE 'UTC') AS quarter_start
  FROM silver.orders AS orders
  CROSS JOIN latest
  WHERE orders.status NOT IN ('cancelled', 'refunded')
    AND orders.created_at AT TIME ZONE 'UTC' >= latest.current_quarter - INTERVAL 12 MONTH
    AND orders.created_at AT TIME ZONE 'UTC' < latest.current_quarter
),
sales AS (
  SELECT
    sold.quarter_start,
    items.product_id,
    sum(items.quantity) AS units,
    sum(items.quantity * items.unit_price) AS revenue
  FROM sold
  JOIN silver.order_items AS items ON items.order_id = sold.id
  GROUP BY sold.quarter_start, items.product_id
),
ranked AS (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY quarter_start
      ORDER BY units DESC, revenue DESC, product_id
    ) AS rank
  FROM sales
)
SELECT
  year(ranked.quarter_start) || '-Q' || quarter(ranked.quarter_start) AS quarter,
  ranked.rank AS rank,
  ranked.product_id AS product_id,
  -- A product that has not arrived yet keeps its place, without a name.
  products.name AS product_name,
  CAST(ranked.units AS BIGINT) AS units,
  CAST(ranked.revenue AS DECIMAL(18, 2)) AS revenue
FROM ranked
LEFT JOIN silver.products AS products ON products.id = ranked.product_id
WHERE ranked.rank <= 10
ORDER BY ranked.quarter_start, ranked.rank
