"""Spark with delta-spark behind `line_server`: one JVM until stdin closes. Nothing is fetched from the network.

    {"op": "read", "path": "/table", "version": 3}      rows of a version, the newest where none is given
    {"op": "newest", "path": "/table"}                  the newest version
    {"op": "changes", "path": "/table", "from": 0, "to": 3}
    {"op": "sql", "path": "/table", "statements": ["INSERT INTO {t} VALUES (1)"]}   rows of the last; {t} is the table
    {"op": "run", "path": "/table", "program": "…"}     Python with `path`, `spark` and `sql`
"""

import glob
import os
import sys
import tempfile
import time

# Before the JVM starts: plain collected values are in the zone of the process.
os.environ["TZ"] = "UTC"
time.tzset()

from canonical import canonical_rows
from line_server import run_program, serve
from pyspark.sql import SparkSession

SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # Tables of a few rows: what counts is the overhead of each job.
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.timezone=UTC",
}


def start(scratch):
    """A session whose warehouse and temporary files are in `scratch`."""
    jars = os.path.join(os.path.dirname(sys.prefix), "jars", "*.jar")
    builder = SparkSession.builder.master("local[2]").appName("interop")
    builder = builder.config("spark.jars", ",".join(sorted(glob.glob(jars))))
    builder = builder.config("spark.sql.warehouse.dir", os.path.join(scratch, "warehouse"))
    builder = builder.config("spark.local.dir", scratch)
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def rows_of(frame):
    return canonical_rows(frame.toArrow())


def read(path, version=None):
    at = "" if version is None else f" VERSION AS OF {version}"
    return rows_of(spark.sql(f"SELECT * FROM {quoted(path)}{at}"))


def newest(path):
    return spark.sql(f"DESCRIBE HISTORY {quoted(path)} LIMIT 1").collect()[0]["version"]


def changes(path, **bounds):
    reader = spark.read.format("delta").option("readChangeFeed", "true")
    reader = reader.option("startingVersion", bounds["from"]).option("endingVersion", bounds["to"])
    return rows_of(reader.load(path).drop("_commit_timestamp"))


def sql(path, statements):
    for statement in statements:
        frame = spark.sql(statement.replace("{t}", quoted(path)))
    # What commands tell of themselves is not of interest, and not always fit for Arrow.
    asks = statements[-1].split(None, 1)[0].upper() in ("SELECT", "WITH", "DESCRIBE", "SHOW")
    return rows_of(frame) if asks else []


def run(program, path):
    names = {"spark": spark, "sql": lambda statement: sql(path, [statement])}
    return run_program(program, {"path": path, **names})


def quoted(path):
    return f"delta.`{path}`"


with tempfile.TemporaryDirectory(prefix="ingot-spark-") as scratch:
    spark = start(scratch)
    try:
        serve({"read": read, "newest": newest, "changes": changes, "sql": sql, "run": run})
    finally:
        spark.stop()
