export {
  boolean,
  Column,
  type DeltaPrimitive,
  date,
  decimal,
  double,
  integer,
  long,
  text,
  timestamp,
} from "./column.ts";
export { type AnyContract, type Columns, defineTable, type RowOf, type TableContract } from "./table.ts";
