{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='day') }}
-- Days on which an order changed are computed anew, whole.
SELECT
  CAST(created_at AT TIME ZONE 'UTC' AS DATE) AS day,
  count(*) FILTER (WHERE NOT is_deleted) AS placed,
  count(*) FILTER (WHERE NOT is_deleted AND status NOT IN ('cancelled', 'refunded')) AS orders,
  CAST(
    coalesce(sum(total) FILTER (WHERE NOT is_deleted AND status NOT IN ('cancelled', 'refunded')), 0)
    AS DECIMAL(18, 2)
  ) AS revenue,
  max(_position) AS _position
FROM {{ ref('orders') }}
{% if is_incremental() %}
WHERE CAST(created_at AT TIME ZONE 'UTC' AS DATE) IN (
  SELECT CAST(created_at AT TIME ZONE 'UTC' AS DATE) FROM {{ ref('orders') }} WHERE _position > {{ built_to() }}
)
{% endif %}
GROUP BY day
