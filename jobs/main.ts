/** The command `ingot`. One file a command; here is only what they share. */
import { Command, CommanderError } from "commander";
import { codeOf, TerminalError } from "../lakehouse/errors.ts";
import { installSignalHandlers, interruption } from "./cleanup.ts";
import { alertsCommand } from "./commands/alerts.ts";
import { backfillCommand } from "./commands/backfill.ts";
import { bootstrapCommand } from "./commands/bootstrap.ts";
import { buildCommand } from "./commands/build.ts";
import { demoCommand } from "./commands/demo.ts";
import { diffCommand } from "./commands/diff.ts";
import { docsCommand } from "./commands/docs.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { exportCommand } from "./commands/export.ts";
import { initCommand } from "./commands/init.ts";
import { lineageCommand } from "./commands/lineage.ts";
import { loadCommand } from "./commands/load.ts";
import { metricsCommand } from "./commands/metrics.ts";
import { planCommand } from "./commands/plan.ts";
import { publishCommand } from "./commands/publish.ts";
import { quarantineCommand } from "./commands/quarantine.ts";
import { runCommand } from "./commands/run.ts";
import { scheduleCommand } from "./commands/schedule.ts";
import { schemaCommand } from "./commands/schema.ts";
import { serveCommand } from "./commands/serve.ts";
import { simulateCommand } from "./commands/simulate.ts";
import { slotCommand } from "./commands/slot.ts";
import { sqlCommand } from "./commands/sql.ts";
import { startCommand } from "./commands/start.ts";
import { statusCommand } from "./commands/status.ts";
import { syncCommand } from "./commands/sync.ts";
import { tableCommand } from "./commands/table.ts";
import { testCommand } from "./commands/test.ts";
import { traceCommand } from "./commands/trace.ts";
import { verifyCommand } from "./commands/verify.ts";
import { printError } from "./terminal/print-error.ts";

/** The program with all of its commands; what it would write to stderr itself goes to `complain`. */
function program(complain: (text: string) => void): Command {
  const ingot = new Command("ingot")
    .description("A lakehouse in one process: Postgres in, Delta tables in the middle, metrics out.")
    .version("0.1.0", "-V", "print the version of Ingot; so does --version, before any command")
    .option("--config <path>", "configuration file; by default the nearest ingot.config.ts")
    .option("--json", "print results, and errors, as JSON")
    .option("--quiet", "show no progress")
    .showSuggestionAfterError()
    .addHelpText(
      "after",
      "\nStart with `ingot demo`, or `ingot init --from postgres://…` with your own database.",
    );
  for (const make of [
    demoCommand,
    initCommand,
    doctorCommand,
    bootstrapCommand,
    loadCommand,
    syncCommand,
    buildCommand,
    publishCommand,
    runCommand,
    startCommand,
    scheduleCommand,
    alertsCommand,
    metricsCommand,
    serveCommand,
    simulateCommand,
    statusCommand,
    schemaCommand,
    planCommand,
    testCommand,
    quarantineCommand,
    lineageCommand,
    traceCommand,
    diffCommand,
    backfillCommand,
    docsCommand,
    slotCommand,
    verifyCommand,
    sqlCommand,
    exportCommand,
    tableCommand,
  ]) {
    ingot.addCommand(make());
  }
  // Errors are thrown, so that they are printed in one way, and the exit code is set in one place.
  for (const command of [ingot, ...ingot.commands, ...ingot.commands.flatMap((c) => c.commands)]) {
    command.exitOverride().configureOutput({ writeErr: complain }).configureHelp({ showGlobalOptions: true });
  }
  return ingot;
}

/** Runs the command line. Exit codes: 0 done, 1 failed, 2 called wrongly. */
export async function run(argv: readonly string[]): Promise<void> {
  installSignalHandlers();
  // A reader that has seen enough, as `head` has, is no failure.
  process.stdout.on("error", (error) => {
    if (codeOf(error) !== "EPIPE") throw error;
  });
  let complaint = "";
  try {
    const ingot = program((text) => {
      complaint += text;
    });
    await ingot.parseAsync(withVersionOption(argv));
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    if (interruption.signal.aborted) {
      // Work that was torn from its connections complains; the signal is what happened.
      process.exitCode = 130;
      return;
    }
    const json = argv.includes("--json");
    if (error instanceof CommanderError) {
      process.exitCode = 2;
      // Without a command its help is what it complains with.
      if (error.code === "commander.help" && !json) process.stderr.write(complaint);
      else printError(usageError(error), { json });
    } else {
      process.exitCode = 1;
      printError(error, { json });
    }
  }
}

function usageError(error: CommanderError): TerminalError {
  const message = error.message.replace(/^error: /, "");
  return new TerminalError(message === "(outputHelp)" ? "say which command" : message, {
    code: "USAGE",
    next: "`ingot --help` lists the commands, `ingot COMMAND --help` their options and examples.",
  });
}

/** `ingot --version` asks for Ingot's version; after a command the option is the command's own. */
function withVersionOption(argv: readonly string[]): string[] {
  return argv.map((word, i) => (i === 2 && word === "--version" ? "-V" : word));
}
