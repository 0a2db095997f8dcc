import { runSteps } from "../steps.ts";
import { stepCommand } from "./step-command.ts";

export const runCommand = () =>
  stepCommand({
    name: "run",
    description: "Sync, build, publish.",
    examples:
      "  ingot run\n  ingot run commerce --json\n\nIn a crontab: */5 * * * *  cd /srv/app && npx ingot run --quiet",
    steps: runSteps,
  });
