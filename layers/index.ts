export { type Config, type ConfigInput, defineConfig } from "./definition/config.ts";
export type { GivenRows, ModelTest, ModelTestStep } from "./definition/model-test.ts";
export * from "./definition/pipeline.ts";
export { type ModelTestFailure, runModelTest } from "./models/model-test.ts";
export { createMetricsClient, type MetricsClient } from "./publish/client.ts";
export type { PublishedVersion } from "./publish/target.ts";
