export { type Config, type ConfigInput, defineConfig } from "./definition/config.ts";
export * from "./definition/pipeline.ts";
export { createMetricsClient, type MetricsClient } from "./publish/client.ts";
export type { PublishedVersion } from "./publish/target.ts";
