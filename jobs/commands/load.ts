import { loadStep } from "../steps.ts";
import { stepCommand } from "./step-command.ts";

export const loadCommand = () =>
  stepCommand({
    name: "load",
    description: "Take the whole source into bronze: every table that is not there yet, at one moment.",
    examples:
      "  ingot load                    all pipelines\n  ingot load commerce --json    one, with a report as JSON\n\nRun again after an interruption: tables that were committed are skipped.",
    steps: async (runtime, pipeline) => [await loadStep(runtime, pipeline)],
  });
