{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='day') }}
-- Days of carts that changed, and of those whose order changed.
SELECT
  CAST(carts.created_at AT TIME ZONE 'UTC' AS DATE) AS day,
  count(*) FILTER (WHERE NOT carts.is_deleted) AS carts,
  count(orders.id) FILTER (WHERE NOT carts.is_deleted) AS orders,
  CAST(count(orders.id) FILTER (WHERE NOT carts.is_deleted) AS DOUBLE)
    / nullif(count(*) FILTER (WHERE NOT carts.is_deleted), 0) AS conversion_rate,
  greatest(
    (SELECT max(_position) FROM {{ ref('carts') }}), (SELECT max(_position) FROM {{ ref('orders') }})
  ) AS _position
FROM {{ ref('carts') }} AS carts
LEFT JOIN {{ ref('orders') }} AS orders ON orders.cart_id = carts.id AND NOT orders.is_deleted
{% if is_incremental() %}
WHERE CAST(carts.created_at AT TIME ZONE 'UTC' AS DATE) IN (
  SELECT CAST(created_at AT TIME ZONE 'UTC' AS DATE)
  FROM {{ ref('carts') }}
  WHERE _position > {{ built_to() }}
    OR id IN (SELECT cart_id FROM {{ ref('orders') }} WHERE _position > {{ built_to() }})
)
{% endif %}
GROUP BY day
