"""Rows of an Arrow table as JSON that means the same in every engine.

64-bit integers are text, narrower ones numbers; decimals text with all digits of their scale; dates `2026-02-28`;
timestamps ISO 8601 with microseconds, `Z` where they are instants; binary hex; NaN, infinities and minus zero named;
structs and maps objects, map keys as text. `test/interop/canonical-rows.ts` gives Ingot's values this form.
"""

import math
from datetime import timezone

import pyarrow as pa
import pyarrow.types as types


def canonical_rows(table):
    """A list of objects, one for each row."""
    return [
        {field.name: canonical(row[field.name], field.type) for field in table.schema} for row in table.to_pylist()
    ]


def canonical(value, kind):
    """A Python value, as `to_pylist` gives it for the Arrow type `kind`."""
    if value is None:
        return None
    if types.is_dictionary(kind):
        return canonical(value, kind.value_type)
    if types.is_int64(kind):
        return str(value)
    if types.is_floating(kind):
        return canonical_float(value)
    if types.is_decimal(kind):
        return format(value, "f")
    if types.is_date(kind):
        return value.isoformat()
    if types.is_timestamp(kind):
        return canonical_timestamp(value, kind)
    if isinstance(value, bytes):
        return value.hex()
    if types.is_struct(kind):
        return {field.name: canonical(value[field.name], field.type) for field in kind}
    if types.is_map(kind):
        return {key_text(canonical(key, kind.key_type)): canonical(item, kind.item_type) for key, item in value}
    if isinstance(value, list):
        return [canonical(item, kind.value_type) for item in value]
    return value


def canonical_float(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return "-0" if value == 0 and math.copysign(1, value) < 0 else value


def canonical_timestamp(value, kind):
    if kind.tz is None:
        return value.replace(tzinfo=None).isoformat(timespec="microseconds")
    instant = value.astimezone(timezone.utc).replace(tzinfo=None)
    return instant.isoformat(timespec="microseconds") + "Z"


def key_text(key):
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def arrow_table(source):
    """Anything that speaks Arrow's C stream, as a table."""
    return pa.table(source)
