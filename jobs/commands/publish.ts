import { publishStep } from "../steps.ts";
import { stepCommand } from "./step-command.ts";

export const publishCommand = () =>
  stepCommand({
    name: "publish",
    description:
      "Publish the newest gold metrics to Redis, or to files in the lake where none is configured.",
    examples: "  ingot publish\n  REDIS_URL=redis://localhost:6379 ingot publish commerce",
    steps: async (runtime, pipeline) => [await publishStep(runtime, pipeline)],
  });
