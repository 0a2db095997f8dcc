import type { CheckResult } from "../../jobs/doctor/check.ts";
import { checkPostgres } from "../../jobs/doctor/postgres.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";

/** A connection string with another user and password. */
export function withUser(connectionString: string, user: string, password: string): string {
  const url = new URL(connectionString);
  [url.username, url.password] = [user, password];
  return url.href;
}

/** What the doctor says of a pipeline's source, by the name of the check. */
export async function checkSource(
  connectionString: string,
  pipeline: PipelineDefinition,
): Promise<(name: string) => CheckResult | undefined> {
  const results = await checkPostgres(connectionString, [pipeline]);
  return (name) => results.find((result) => result.name === name);
}
