"""Loads `orders` into a Parquet file with DuckDB's extension for Postgres: URL FOLDER."""

import pathlib
import sys

import duckdb
import duckdb_extension_postgres_scanner

url, folder = sys.argv[1:]
package = pathlib.Path(duckdb_extension_postgres_scanner.__file__).parent
(extension,) = package.glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension")
database = duckdb.connect()
database.load_extension(str(extension))
database.execute(f"ATTACH '{url}' AS source (TYPE postgres, READ_ONLY)")
# Several connections read ranges of blocks; the rows need no order, so that several threads write as well.
database.execute("SET preserve_insertion_order = false")
database.execute(f"COPY source.public.orders TO '{folder}/out/orders.parquet' (FORMAT parquet)")
