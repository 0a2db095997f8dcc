SELECT
  CAST(id AS BIGINT) AS id,
  CAST(cart_id AS BIGINT) AS cart_id,
  CAST(user_id AS BIGINT) AS user_id,
  CAST(status AS VARCHAR) AS status,
  CAST(total AS DECIMAL(12, 2)) AS total,
  CAST(created_at AS TIMESTAMPTZ) AS created_at,
  CAST(updated_at AS TIMESTAMPTZ) AS updated_at
FROM bronze.orders
