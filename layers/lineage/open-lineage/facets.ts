/** Facets of OpenLineage: each names who made it and the version of the specification that describes it. */
import type { DataType, StructType } from "../../../lakehouse/delta/schema.ts";

/** Facets by the name under which an event carries them. */
export type Facets = Readonly<Record<string, object>>;

/** Who makes the events: a URI, as the specification asks. */
export const PRODUCER = "urn:ingot:0.1.0";

const VERSIONS = {
  ColumnLineageDatasetFacet: "1-2-0",
  DatasetVersionDatasetFacet: "1-0-1",
  DocumentationDatasetFacet: "1-1-0",
  ErrorMessageRunFacet: "1-0-1",
  JobTypeJobFacet: "2-0-4",
  OutputStatisticsOutputDatasetFacet: "1-0-2",
  ParentRunFacet: "1-2-0",
  SchemaDatasetFacet: "1-2-0",
  SQLJobFacet: "1-1-0",
} as const;

/** A facet of this kind. */
export function facet(kind: keyof typeof VERSIONS, content: object): object {
  const address = `https://openlineage.io/spec/facets/${VERSIONS[kind]}/${kind}.json#/$defs/${kind}`;
  return { _producer: PRODUCER, _schemaURL: address, ...content };
}

/** Columns of a table, those within structs among them, with types as Delta names them. */
export const schemaFacet = (schema: StructType): object =>
  facet("SchemaDatasetFacet", { fields: fieldsOf(schema) });

function fieldsOf(schema: StructType): object[] {
  return schema.fields.map(({ name, type, metadata }, i) => ({
    name,
    type: typeof type === "string" ? type : type.type,
    ...(typeof metadata?.comment === "string" ? { description: metadata.comment } : {}),
    ordinal_position: i + 1,
    ...nested(type),
  }));
}

function nested(type: DataType): { fields?: object[] } {
  if (typeof type === "string") return {};
  if (type.type === "struct") return { fields: fieldsOf(type) };
  return type.type === "array" ? nested(type.elementType) : {};
}
