SELECT
  CAST(id AS BIGINT) AS id,
  CAST(cart_id AS BIGINT) AS cart_id,
  CAST(product_id AS BIGINT) AS product_id,
  CAST(quantity AS INTEGER) AS quantity,
  CAST(created_at AS TIMESTAMPTZ) AS created_at,
  CAST(updated_at AS TIMESTAMPTZ) AS updated_at
FROM bronze.cart_items
