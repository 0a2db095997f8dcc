/** Values of a result as Arrow arrays of exact types. */
import {
  Binary,
  Bool,
  type Data,
  type DataType,
  DateDay,
  Decimal,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  List,
  Map_,
  Struct,
  TimeMicrosecond,
  Timestamp,
  TimeUnit,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
} from "apache-arrow";
import { TerminalError } from "../../lakehouse/errors.ts";
import { jsonText } from "../terminal/json-text.ts";
import { bits, fixed, isThere, make, offsets, shape } from "./arrow-buffers.ts";
import type { EngineType } from "./engine-type.ts";
import { daysOf, instantOf, timeOf, unscaled } from "./exact-numbers.ts";

/** Makes arrays of one type of column; values are those of `Session.stream`. */
export interface ArrowColumn {
  readonly type: DataType;
  data(values: readonly unknown[]): Data;
}

type Words =
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/** How a column of this type becomes Arrow. Types that Arrow lacks are text: intervals, bits, unions, times with zone. */
export function arrowColumn(type: EngineType): ArrowColumn {
  switch (type.kind) {
    case "list":
      return type.length === undefined ? listColumn(type.element) : arrayColumn(type.element, type.length);
    case "struct":
      return structColumn(type.members.map(([name, member]) => [name, arrowColumn(member)]));
    case "map":
      return mapColumn(type.key, type.value);
    case "scalar":
      return scalarColumn(type);
  }
}

function scalarColumn({ name, precision, scale }: EngineType & { kind: "scalar" }): ArrowColumn {
  switch (name) {
    case "BOOLEAN":
      return {
        type: new Bool(),
        data: (values) =>
          fixed(
            new Bool(),
            values,
            bits((i) => values[i] === true, values.length),
          ),
      };
    case "TINYINT":
      return numbers(new Int8(), (n) => new Int8Array(n));
    case "SMALLINT":
      return numbers(new Int16(), (n) => new Int16Array(n));
    case "INTEGER":
      return numbers(new Int32(), (n) => new Int32Array(n));
    case "UTINYINT":
      return numbers(new Uint8(), (n) => new Uint8Array(n));
    case "USMALLINT":
      return numbers(new Uint16(), (n) => new Uint16Array(n));
    case "UINTEGER":
      return numbers(new Uint32(), (n) => new Uint32Array(n));
    case "FLOAT":
      return numbers(new Float32(), (n) => new Float32Array(n));
    case "DOUBLE":
      return numbers(new Float64(), (n) => new Float64Array(n));
    case "BIGINT":
      return longs(new Int64(), (value) => BigInt(String(value)));
    case "UBIGINT":
      return longs(new Uint64(), (value) => BigInt(String(value)));
    case "HUGEINT":
    case "UHUGEINT":
      return decimalColumn(38, 0);
    case "DECIMAL":
      return decimalColumn(precision, scale);
    case "DATE":
      return numbers(
        new DateDay(),
        (n) => new Int32Array(n),
        (value) => daysOf(String(value)),
      );
    case "TIME":
      return longs(new TimeMicrosecond(), (value) => timeOf(String(value), 6));
    case "TIMESTAMP":
      return timestamps(TimeUnit.MICROSECOND, 6);
    case "TIMESTAMP WITH TIME ZONE":
      return timestamps(TimeUnit.MICROSECOND, 6, "UTC");
    case "TIMESTAMP_S":
      return timestamps(TimeUnit.SECOND, 0);
    case "TIMESTAMP_MS":
      return timestamps(TimeUnit.MILLISECOND, 3);
    case "TIMESTAMP_NS":
      return timestamps(TimeUnit.NANOSECOND, 9);
    case "BLOB":
      return bytesColumn(new Binary(), (value) => (value instanceof Uint8Array ? value : NOTHING));
    default:
      return bytesColumn(new Utf8(), (value) =>
        Buffer.from(typeof value === "object" ? jsonText(value) : String(value)),
      );
  }
}

const NOTHING = new Uint8Array(0);
function numbers(
  type: DataType,
  words: (length: number) => Words,
  read: (value: unknown) => number = Number,
): ArrowColumn {
  return {
    type,
    data: (values) => {
      const data = words(values.length);
      for (const [i, value] of values.entries()) if (isThere(value)) data[i] = read(value);
      return fixed(type, values, data);
    },
  };
}

function longs(type: DataType, read: (value: unknown) => bigint): ArrowColumn {
  return {
    type,
    data: (values) => {
      const signed = new BigInt64Array(values.length);
      for (const [i, value] of values.entries())
        if (isThere(value)) signed[i] = BigInt.asIntN(64, read(value));
      return fixed(type, values, type instanceof Uint64 ? new BigUint64Array(signed.buffer) : signed);
    },
  };
}

function timestamps(unit: TimeUnit, digits: number, zone?: string): ArrowColumn {
  return longs(new Timestamp(unit, zone ?? null), (value) => instantOf(String(value), digits));
}

/** 128 bits; integers that wide may have a digit more than a decimal of Arrow has. */
function decimalColumn(precision: number, scale: number): ArrowColumn {
  const type = new Decimal(scale, precision, 128);
  const most = 10n ** BigInt(precision);
  return {
    type,
    data: (values) => {
      const words = new BigInt64Array(values.length * 2);
      for (const [i, value] of values.entries()) {
        if (!isThere(value)) continue;
        const digits = unscaled(String(value), scale);
        if (digits >= most || digits <= -most) throw tooWide(String(value));
        words[2 * i] = BigInt.asIntN(64, digits);
        words[2 * i + 1] = BigInt.asIntN(64, digits >> 64n);
      }
      return fixed(type, values, new Uint32Array(words.buffer));
    },
  };
}

function bytesColumn(type: DataType, read: (value: unknown) => Uint8Array): ArrowColumn {
  return {
    type,
    data: (values) => {
      const parts = values.map((value) => (isThere(value) ? read(value) : NOTHING));
      return make({ type, ...shape(values), valueOffsets: offsets(parts), data: Buffer.concat(parts) });
    },
  };
}

const itemsOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function listColumn(element: EngineType): ArrowColumn {
  const inner = arrowColumn(element);
  const type = new List(new Field("item", inner.type, true));
  return {
    type,
    data: (values) => {
      const parts = values.map(itemsOf);
      return make({ type, ...shape(values), valueOffsets: offsets(parts), child: inner.data(parts.flat()) });
    },
  };
}

function arrayColumn(element: EngineType, length: number): ArrowColumn {
  const inner = arrowColumn(element);
  const type = new FixedSizeList(length, new Field("item", inner.type, true));
  const none = Array.from({ length }, () => null);
  return {
    type,
    data: (values) => {
      // An array that is NULL takes its place all the same.
      const items = values.flatMap((value) => (isThere(value) ? itemsOf(value) : none));
      return make({ type, ...shape(values), child: inner.data(items) });
    },
  };
}

function structColumn(members: readonly (readonly [string, ArrowColumn])[], isMap = false): ArrowColumn {
  const type = new Struct(members.map(([name, { type }], i) => new Field(name, type, !isMap || i > 0)));
  return {
    type,
    data: (values) => {
      const children = members.map(([name, column]) =>
        column.data(values.map((value) => (isThere(value) ? Reflect.get(Object(value), name) : null))),
      );
      return make({ type, ...shape(values), children });
    },
  };
}

/** Keys of maps are text here: those of nested types stay so. */
function mapColumn(key: EngineType, value: EngineType): ArrowColumn {
  const text: EngineType = { kind: "scalar", name: "VARCHAR", precision: 0, scale: 0 };
  const keyType = key.kind === "scalar" ? key : text;
  const entries = structColumn(
    [
      ["key", arrowColumn(keyType)],
      ["value", arrowColumn(value)],
    ],
    true,
  );
  const type = new Map_(new Field("entries", entries.type as Struct, false), false);
  const keyOf = keyReader(keyType);
  return {
    type,
    data: (values) => {
      const parts = values.map((map) =>
        isThere(map) ? Object.entries(Object(map)).map(([k, v]) => ({ key: keyOf(k), value: v })) : [],
      );
      return make({
        type,
        ...shape(values),
        valueOffsets: offsets(parts),
        child: entries.data(parts.flat()),
      });
    },
  };
}

function keyReader(type: EngineType): (key: string) => unknown {
  const name = type.kind === "scalar" ? type.name : "";
  if (name === "BOOLEAN") return (key) => key === "true";
  return name === "BLOB" ? (key) => Buffer.from(key, "hex") : (key) => key;
}

function tooWide(value: string): TerminalError {
  return new TerminalError("Arrow has no integer as wide as this one", {
    code: "ARROW_TOO_WIDE",
    value,
    allowed: "up to 38 digits",
    next: "Cast it to VARCHAR or DOUBLE in the query.",
  });
}
