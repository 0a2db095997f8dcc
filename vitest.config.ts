import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { ingot: new URL("./index.ts", import.meta.url).pathname } },
  test: {
    include: ["test/**/*.test.ts", "pipelines/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    env: { UV_THREADPOOL_SIZE: "16" },
  },
});
