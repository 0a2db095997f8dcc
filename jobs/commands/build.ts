import { buildStep } from "../steps.ts";
import { stepCommand } from "./step-command.ts";

export const buildCommand = () =>
  stepCommand({
    name: "build",
    description: "Bring silver and gold up to what bronze holds.",
    examples: "  ingot build\n  ingot build commerce --json",
    steps: async (runtime, pipeline) => [await buildStep(runtime, pipeline)],
  });
