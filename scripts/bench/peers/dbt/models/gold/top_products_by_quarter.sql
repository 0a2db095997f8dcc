{{ config(materialized='table') }}
-- The ten best-selling products of each of the last four complete quarters (UTC).
WITH latest AS (
  -- The quarter that still goes on is that of the newest order, not of the clock: the figure depends on nothing but
  -- the data, and a rebuild next year gives what it gives today.
  SELECT date_trunc('quarter', max(day)) AS current_quarter
  FROM {{ ref('daily_sales') }}
),
ranked AS (
  SELECT
    sales.*,
    row_number() OVER (
      PARTITION BY sales.quarter_start
      ORDER BY sales.units DESC, sales.revenue DESC, sales.product_id
    ) AS rank
  FROM {{ ref('product_sales') }} AS sales
  CROSS JOIN latest
  WHERE sales.quarter_start >= latest.current_quarter - INTERVAL 12 MONTH
    AND sales.quarter_start < latest.current_quarter
)
SELECT
  year(ranked.quarter_start) || '-Q' || quarter(ranked.quarter_start) AS quarter,
  ranked.rank AS rank,
  ranked.product_id AS product_id,
  -- A product that has not arrived yet keeps its place, without a name.
  products.name AS product_name,
  ranked.units,
  ranked.revenue
FROM ranked
LEFT JOIN {{ ref('products') }} AS products ON products.id = ranked.product_id
WHERE ranked.rank <= 10
ORDER BY ranked.quarter_start, ranked.rank
