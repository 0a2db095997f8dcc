SELECT
  CAST(id AS BIGINT) AS id,
  CAST(user_id AS BIGINT) AS user_id,
  CAST(action AS VARCHAR) AS action,
  CAST(cart_id AS BIGINT) AS cart_id,
  CAST(product_id AS BIGINT) AS product_id,
  CAST(occurred_at AS TIMESTAMPTZ) AS occurred_at,
  CAST(updated_at AS TIMESTAMPTZ) AS updated_at
FROM bronze.user_actions
