import { Command } from "commander";
import { messageOf } from "../../lakehouse/errors.ts";
import type { ModelTest } from "../../layers/definition/model-test.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { type ModelTestFailure, runModelTest } from "../../layers/models/model-test.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { printable } from "../terminal/text.ts";

interface Outcome {
  readonly pipeline: string;
  readonly model: string;
  readonly test: string;
  readonly passed: boolean;
  readonly failure?: ModelTestFailure;
  readonly error?: string;
}

export const testCommand = () =>
  new Command("test")
    .description("Run the tests of models: given rows, changes to them, and what has to come of it.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .addHelpText(
      "after",
      "\nTests are what a pipeline's `tests` gives. Each runs in a lake of its own; the real one is not touched. Exit code\n1: one failed.\n\nExamples:\n  ingot test\n  ingot test commerce --json",
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withRuntime(options, async (runtime) => {
        const outcomes: Outcome[] = [];
        for (const pipeline of runtime.pipelines(name)) {
          for (const test of (await pipeline.tests?.()) ?? []) {
            const outcome = await attempt(runtime, pipeline, test);
            outcomes.push(outcome);
            if (!options.json) process.stdout.write(line(outcome));
          }
        }
        const failed = outcomes.filter(({ passed }) => !passed).length;
        process.stdout.write(
          options.json
            ? `${jsonText({ tests: outcomes })}\n`
            : `${outcomes.length - failed} passed, ${failed} failed\n`,
        );
        if (failed > 0) process.exitCode = 1;
      });
    });

async function attempt(runtime: Runtime, pipeline: PipelineDefinition, test: ModelTest): Promise<Outcome> {
  const about = { pipeline: pipeline.name, model: test.model, test: test.name };
  try {
    const failure = await runModelTest(runtime.lake.duckdb, pipeline, test);
    return failure === undefined ? { ...about, passed: true } : { ...about, passed: false, failure };
  } catch (error) {
    return { ...about, passed: false, error: messageOf(error) };
  }
}

function line({ pipeline, model, test, passed, failure, error }: Outcome): string {
  const head = `${passed ? "✓" : "✗"} ${pipeline}.${model}: ${test}\n`;
  if (error !== undefined) return printableLines(`${head}    ${error}\n`);
  if (failure === undefined) return printableLines(head);
  const rows = [
    ...failure.missing.map((row) => `    expected  ${row}\n`),
    ...failure.unexpected.map((row) => `    found     ${row}\n`),
  ];
  return printableLines(`${head}    after step ${failure.step}:\n${rows.join("")}`);
}

/** Values of rows may hold what a terminal would act on. */
const printableLines = (text: string) => text.split("\n").map(printable).join("\n");
