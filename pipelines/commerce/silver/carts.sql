SELECT
  CAST(id AS BIGINT) AS id,
  CAST(user_id AS BIGINT) AS user_id,
  CAST(created_at AS TIMESTAMPTZ) AS created_at,
  CAST(updated_at AS TIMESTAMPTZ) AS updated_at
FROM bronze.carts
