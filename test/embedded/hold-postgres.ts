/** A program of its own for tests: starts the Postgres of a folder, says so, stops it when its input ends. */
import { once } from "node:events";
import { startPostgres } from "../../jobs/embedded/postgres.ts";

const server = await startPostgres({ folder: process.argv[2] ?? "" });
process.stdout.write(
  `${JSON.stringify({ pid: server.pid, startedHere: server.startedHere, url: server.connectionString })}\n`,
);
process.stdin.resume();
await once(process.stdin, "end");
await server.stop();
