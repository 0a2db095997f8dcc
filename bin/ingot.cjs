#!/usr/bin/env node
require("./prelude.cjs");
import("../dist/bundle/main.js").then(
  (main) => main.run(process.argv),
  (error) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exitCode = 1;
  },
);
