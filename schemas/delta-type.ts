/** Types of the Delta protocol (PROTOCOL.md, "Schema Serialization Format"), as far as contracts have them. */

/** Primitive types; decimals carry precision and scale. */
export type DeltaPrimitive =
  | "string"
  | "long"
  | "integer"
  | "short"
  | "byte"
  | "float"
  | "double"
  | "boolean"
  | "binary"
  | "date"
  | "timestamp"
  | `decimal(${number},${number})`;

interface DeltaArray {
  readonly type: "array";
  readonly elementType: DeltaType;
  readonly containsNull: boolean;
}

interface DeltaStruct {
  readonly type: "struct";
  readonly fields: readonly {
    readonly name: string;
    readonly type: DeltaType;
    readonly nullable: boolean;
    readonly metadata: Readonly<Record<string, unknown>>;
  }[];
}

/** The type of a column: a primitive, or one made of others. */
export type DeltaType = DeltaPrimitive | DeltaArray | DeltaStruct;
