export * from "./definition/audit.ts";
export { type Config, type ConfigInput, defineConfig } from "./definition/config.ts";
export * from "./definition/model.ts";
export type { GivenRows, ModelTest, ModelTestStep } from "./definition/model-test.ts";
export * from "./definition/pipeline.ts";
export * from "./definition/published.ts";
export type { MissedRuns, Schedule, ScheduledRun, ScheduleStep } from "./definition/schedule.ts";
export { type ModelTestFailure, runModelTest } from "./models/model-test.ts";
export {
  createMetricsClient,
  type ListenOptions,
  type MetricsClient,
  type MetricsPlace,
  type PipelineMetrics,
} from "./publish/client.ts";
export {
  definePipeline,
  type JsonOf,
  type KeyPart,
  type LookupKey,
  type LookupName,
  type MetricName,
  type MetricRow,
  type MetricVersion,
} from "./publish/client-types.ts";
export type {
  PublishedRow,
  PublishedVersion,
  SubscribeOptions,
  Subscription,
  VersionEvent,
  VersionStamp,
} from "./publish/target.ts";
