SELECT
  CAST(id AS BIGINT) AS id,
  CAST(order_id AS BIGINT) AS order_id,
  CAST(product_id AS BIGINT) AS product_id,
  CAST(quantity AS INTEGER) AS quantity,
  CAST(unit_price AS DECIMAL(12, 2)) AS unit_price,
  CAST(updated_at AS TIMESTAMPTZ) AS updated_at
FROM bronze.order_items
