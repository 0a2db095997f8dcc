"""Loads `orders` with dlt into Parquet files: URL FOLDER [KEY=VALUE...]"""
import os
import sys

url, folder, *opts = sys.argv[1:]
o = dict(x.split("=") for x in opts)
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
import dlt
from dlt.destinations import filesystem
from dlt.sources.sql_database import sql_table

kw = {"conn": url}
if "stream" in o: kw["return_type"] = "arrow_stream"
if "part" in o: kw.update(partition_on="id", partition_num=int(o["part"]))
orders = sql_table(
    url.replace("postgres://", "postgresql+psycopg2://"), "orders", "public",
    backend=o.get("backend", "connectorx"), chunk_size=int(o.get("chunk", 100_000)), reflection_level="full_with_precision",
    backend_kwargs=kw if o.get("backend", "connectorx") == "connectorx" else {},
)
pipeline = dlt.pipeline("orders", pipelines_dir=f"{folder}/pipelines", destination=filesystem(f"file://{folder}/out"))
print(pipeline.run(orders, dataset_name="bench", table_name="orders", loader_file_format="parquet"))
if "trace" in o: print(pipeline.last_trace)
