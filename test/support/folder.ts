import { chmodSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** A fresh folder for a test file, removed at its end. */
export function useFolder(): { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "ingot-test-"));
  // Servers that a test starts as root run as another user, who must be able to enter.
  chmodSync(path, 0o755);
  afterAll(() => rm(path, { recursive: true, force: true }));
  return { path };
}
