SELECT
  CAST(id AS BIGINT) AS id,
  CAST(email AS VARCHAR) AS email,
  CAST(full_name AS VARCHAR) AS full_name,
  CAST(country AS VARCHAR) AS country,
  CAST(created_at AS TIMESTAMPTZ) AS created_at,
  CAST(updated_at AS TIMESTAMPTZ) AS updated_at
FROM bronze.users
