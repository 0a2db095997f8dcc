export * from "./definition/pipeline.ts";
