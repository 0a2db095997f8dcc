SELECT
  CAST(id AS BIGINT) AS id,
  CAST(name AS VARCHAR) AS name,
  CAST(updated_at AS TIMESTAMPTZ) AS updated_at
FROM bronze.categories
