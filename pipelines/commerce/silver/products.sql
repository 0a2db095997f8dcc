SELECT
  CAST(id AS BIGINT) AS id,
  CAST(category_id AS BIGINT) AS category_id,
  CAST(name AS VARCHAR) AS name,
  CAST(price AS DECIMAL(12, 2)) AS price,
  CAST(created_at AS TIMESTAMPTZ) AS created_at,
  CAST(updated_at AS TIMESTAMPTZ) AS updated_at
FROM bronze.products
