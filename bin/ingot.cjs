#!/usr/bin/env node
// DuckDB queries occupy threads of libuv's pool while they wait for a FIFO; the pool's size is read once,
// before the first asynchronous call, so it has to be set here, in a CommonJS file, before any import.
process.env.UV_THREADPOOL_SIZE ??= "16";
import("../dist/bundle/main.js").then(
  (main) => main.run(process.argv),
  (error) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exitCode = 1;
  },
);
