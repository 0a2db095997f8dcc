/** The library that a user's own repository imports: contracts, pipelines, tables. */
export * from "./lakehouse/index.ts";
export * from "./layers/index.ts";
export * from "./schemas/index.ts";
