/** A build beside other builds of the same models: who was overtaken goes on from what the faster one made. */
import { codeOf } from "../../lakehouse/errors.ts";
import { retrying } from "../../lakehouse/retry.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { type BuildContext, buildModels } from "./build.ts";
import type { BuildOutcome } from "./build-outcome.ts";

/** As `buildModels`; where another run was faster with a model, what failed is built again on what that one made. */
export async function buildBeside(
  context: BuildContext,
  pipeline: PipelineDefinition,
): Promise<BuildOutcome> {
  let outcome: BuildOutcome | undefined;
  const attempt = async () => {
    outcome =
      outcome === undefined
        ? await buildModels(context, pipeline)
        : await buildAgain(context, pipeline, outcome);
    const lost = outcome.failures.find(({ error }) => isRaceLost(error));
    if (lost !== undefined) throw lost.error;
    return outcome;
  };
  try {
    return await retrying(attempt, { codesOf: (error) => (isRaceLost(error) ? ["MODEL_RACE_LOST"] : []) });
  } catch (error) {
    if (outcome === undefined || !isRaceLost(error)) throw error;
    return outcome;
  }
}

const isRaceLost = (error: unknown): boolean => codeOf(error) === "MODEL_RACE_LOST";

/** What failed or waited is built again, all of it: a model must not run on what another one failed to bring up to date. */
async function buildAgain(
  context: BuildContext,
  pipeline: PipelineDefinition,
  { models, reports, failures, blocked }: BuildOutcome,
): Promise<BuildOutcome> {
  const select = [...failures, ...blocked].map(({ model }) => model);
  const again = await buildModels({ ...context, select }, pipeline);
  return { ...again, models, reports: [...reports, ...again.reports] };
}
