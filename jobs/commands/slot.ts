import { Command } from "commander";
import { giveUpSlot } from "../../layers/bronze/capture/give-up-slot.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { judgeSlot, readSlot, type SlotState } from "../../layers/bronze/postgres/replication/slot.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { replicationNames } from "../../layers/definition/replication-names.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { formatBytes } from "../terminal/numbers.ts";

interface SlotReport {
  readonly pipeline: string;
  readonly slot: string;
  readonly state: SlotState | undefined;
  readonly verdict: string;
}

export const slotCommand = () =>
  new Command("slot")
    .description("Say what replication slots hold back at the source; drop one that is no longer wanted.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .option(
      "--drop",
      "drop the pipeline's slot: the source keeps no more WAL for it; a later sync compares and repairs",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  ingot slot\n  ingot slot commerce --json\n  ingot slot commerce --drop",
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly drop?: boolean }>();
      if (options.drop && name === undefined) command.error("error: say whose slot to drop", { exitCode: 2 });
      await withRuntime(options, async (runtime) => {
        const captured = runtime.pipelines(name).filter(({ source }) => source.changes === "wal");
        const reports: SlotReport[] = [];
        for (const pipeline of captured)
          reports.push(await examine(runtime, pipeline, options.drop === true));
        process.stdout.write(options.json ? `${jsonText({ slots: reports })}\n` : render(reports));
      });
    });

async function examine(runtime: Runtime, pipeline: PipelineDefinition, drop: boolean): Promise<SlotReport> {
  const client = await connect(await runtime.database());
  try {
    const { slot } = replicationNames(pipeline);
    const state = await readSlot(client, slot);
    const report = { pipeline: pipeline.name, slot, state };
    if (drop) {
      const found = await giveUpSlot(client, pipeline);
      return { ...report, verdict: found ? "dropped" : "not there" };
    }
    if (state === undefined) return { ...report, verdict: "not there" };
    if (state.lost) return { ...report, verdict: "lost: the next sync makes a new one and repairs" };
    const judged = judgeSlot(state, pipeline.source.wal);
    return { ...report, verdict: judged.level === "fine" ? "fine" : `${judged.level}: ${judged.message}` };
  } finally {
    await disconnect(client);
  }
}

function render(reports: readonly SlotReport[]): string {
  if (reports.length === 0) return 'No pipeline captures changes (`changes: "wal"`).\n';
  return reports
    .map(({ pipeline, slot, state, verdict }) => {
      const held = state === undefined ? "" : `, keeps ${formatBytes(state.heldBytes)} of WAL`;
      const behind = state === undefined ? "" : `, ${formatBytes(state.behindBytes)} behind`;
      return `${pipeline}: ${slot}${state?.active ? ", in use" : ""}${held}${behind}: ${verdict}\n`;
    })
    .join("");
}
