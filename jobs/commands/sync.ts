import { syncStep } from "../steps.ts";
import { stepCommand } from "./step-command.ts";

export const syncCommand = () =>
  stepCommand({
    name: "sync",
    description: "Append to bronze what committed at the source since the last load or sync.",
    examples: "  ingot sync\n  ingot sync commerce --json",
    steps: async (runtime, pipeline) => [await syncStep(runtime, pipeline)],
  });
