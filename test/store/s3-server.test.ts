import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { birthOf, hasEnded } from "../../jobs/embedded/processes.ts";
import { useFolder } from "../support/folder.ts";
import { s3Available } from "../support/s3.ts";

const folder = useFolder();
const STARTER = fileURLToPath(new URL("./start-s3.ts", import.meta.url));

it.skipIf(!s3Available())(
  "the S3 server ends with the process that started it, even a killed one",
  async () => {
    const starter = spawn(process.execPath, ["--import", "jiti/register", STARTER, folder.path], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      env: { ...process.env, JITI_FS_CACHE: "false" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(createInterface(starter.stdout), "line");
    const pid = Number(line);
    const birth = birthOf(pid);
    if (birth === undefined) throw new Error("The server is not running.");
    starter.kill("SIGKILL");
    expect(await hasEnded(pid, birth, 10_000)).toBe(true);
  },
);
