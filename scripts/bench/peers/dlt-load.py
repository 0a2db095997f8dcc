"""Loads `orders` into Parquet files with dlt: URL FOLDER.

Its documentation calls the backend ConnectorX the fastest, and asks for streams where a table is large; ConnectorX
itself reads partitions side by side.
"""

import sys

import dlt
from dlt.destinations import filesystem
from dlt.sources.sql_database import sql_table

url, folder = sys.argv[1:]
orders = sql_table(
    # This one reads the catalog; SQLAlchemy wants its driver named.
    url.replace("postgres://", "postgresql+psycopg2://"),
    "orders",
    "public",
    chunk_size=100_000,
    backend="connectorx",
    reflection_level="full_with_precision",
    backend_kwargs={"conn": url, "return_type": "arrow_stream", "partition_on": "id", "partition_num": 2},
)
pipeline = dlt.pipeline("orders", pipelines_dir=f"{folder}/work", destination=filesystem(f"file://{folder}/out"))
pipeline.run(orders, dataset_name="bench", table_name="orders", loader_file_format="parquet").raise_on_failed_jobs()
