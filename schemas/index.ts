export { Column, type Reference, type Sensitivity, type ValueOf } from "./column.ts";
export { array, boolean, double, integer, json, long, oneOf, struct, text, timestamp } from "./columns.ts";
export { ContractError } from "./contract-error.ts";
export type { DeltaPrimitive, DeltaType } from "./delta-type.ts";
export { jsonSchemaOf } from "./json-schema.ts";
export { date, decimal, type OrderedColumn } from "./ordered-column.ts";
export { type ResolvedReference, referencesOf } from "./references.ts";
export {
  type AnyContract,
  type Columns,
  defineTable,
  type RowOf,
  type TableCheck,
  type TableContract,
  type TableDefinition,
} from "./table.ts";
