import { randomUUID } from "node:crypto";
import { Command } from "commander";
import { TerminalError, TransientError } from "../../lakehouse/errors.ts";
import { maskSecrets } from "../../lakehouse/secrets.ts";
import { type Incident, readBook } from "../observe/alerts-book.ts";
import { type AlertReceiver, postAlert, receiverName } from "../observe/alerts-delivery.ts";
import { testMessage } from "../observe/alerts-message.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { formatAge } from "../terminal/numbers.ts";
import { renderTable } from "../terminal/table.ts";
import { terminalWidth } from "../terminal/terminal-size.ts";
import { printableLines } from "../terminal/text.ts";

interface Options extends GlobalOptions {
  readonly test?: boolean;
}

export const alertsCommand = () =>
  new Command("alerts")
    .description("What is wrong, as `ingot start` tells a webhook; a test of that webhook.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .option("--test", "post one test alert, and say what the receiver answers")
    .addHelpText(
      "after",
      "\nA webhook is set by `alerts: { url }` in ingot.config.ts, or INGOT_ALERTS_URL; processes of `ingot start` post to it.\n\nExamples:\n  ingot alerts\n  ingot alerts --test\n  INGOT_ALERTS_URL=https://hooks.example.com/x ingot alerts --test",
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withRuntime(options, (runtime) =>
        options.test ? testReceiver(receiverOf(runtime), options) : list(runtime, name, options),
      );
    });

function receiverOf({ config }: Runtime): AlertReceiver {
  if (config.alerts !== undefined) return config.alerts;
  throw new TerminalError("no webhook is configured for alerts", {
    code: "ALERTS_NONE",
    next: "Set `alerts: { url }` in ingot.config.ts, or INGOT_ALERTS_URL.",
  });
}

async function testReceiver(receiver: AlertReceiver, { json }: Options): Promise<void> {
  const id = randomUUID();
  const answer = await postAlert(receiver, testMessage(id, Date.now()), { key: id, reads: true });
  const { status, failure, passing } = answer;
  const text = printableLines(maskSecrets(answer.text.trim()));
  if (failure === undefined) {
    const said = text === "" ? "" : `: ${text}`;
    process.stdout.write(
      json
        ? `${jsonText({ id, status, text })}\n`
        : `${receiverName(receiver)} took it, status ${status}${said}\n`,
    );
    return;
  }
  const details = {
    code: "ALERT_NOT_DELIVERED",
    value: text === "" ? failure : `${failure}: ${text}`,
    next: "Correct the address, the secret or the receiver.",
  };
  const message = `${receiverName(receiver)} does not take alerts`;
  throw passing ? new TransientError(message, details) : new TerminalError(message, details);
}

async function list(runtime: Runtime, name: string | undefined, { json }: Options): Promise<void> {
  const pipelines = runtime.pipelines(name);
  const books = await Promise.all(
    pipelines.map(async (pipeline) => {
      const { incidents } = await readBook(runtime.lake.store, pipeline.name);
      return incidents
        .filter(({ resolvedAt }) => resolvedAt === undefined)
        .map((incident) => ({ pipeline: pipeline.name, ...incident }));
    }),
  );
  const firing = books.flat().toSorted((a, b) => a.since - b.since);
  process.stdout.write(json ? `${jsonText({ alerts: firing.map(shown) })}\n` : render(firing));
}

const shown = ({ key: _, since, told, ...incident }: Incident & { readonly pipeline: string }) => ({
  ...incident,
  since: new Date(since).toISOString(),
  told: told === undefined ? null : new Date(told.at).toISOString(),
});

function render(firing: readonly Incident[]): string {
  if (firing.length === 0) return "Nothing is wrong, as far as `ingot start` has seen.\n";
  const now = Date.now();
  const columns = ["since", "alert", "what", "told"].map((name) => ({ name }));
  const rows = firing.map(({ since, alert, summary, told }) => [
    formatAge(now - since),
    alert,
    summary,
    told === undefined ? "not yet" : formatAge(now - told.at),
  ]);
  return `${renderTable({ columns, rows }, { width: terminalWidth(process.stdout, 160) })}\n`;
}
