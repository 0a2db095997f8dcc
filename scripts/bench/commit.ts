/** What a small commit costs, what opening a table costs, and whether either grows with the number of commits. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatDuration, groupDigits } from "../../jobs/terminal/numbers.ts";
import { type Bench, type ChildResult, median, rounded, runChild } from "./bench.ts";

const APPENDS = 1000;
const VERSIONS = 10_000;
const OPENS = 10;
const CHILD = new URL("./commit-child.js", import.meta.url);

export const commitBench: Bench = async ({ scale, rounds, say }) => {
  const appends = Math.max(20, Math.round(APPENDS * scale));
  const versions = Math.max(10 * appends, Math.round(VERSIONS * scale));
  const folder = await mkdtemp(join(tmpdir(), "ingot-bench-"));
  try {
    const appended: ChildResult[] = [];
    for (let round = 1; round <= rounds; round++) {
      const place = join(folder, String(round));
      const result = await runChild(CHILD, ["append", place, String(appends)]);
      if (result.rows !== 10 * appends) throw new Error(`appended ${result.rows} rows, not ${10 * appends}`);
      appended.push(result);
      const { appendMs = 0, floorMs = 0, appendGrowth = 0 } = result.figures;
      say(
        `round ${round}: append ${appendMs.toFixed(1)} ms, floor ${floorMs.toFixed(1)} ms, last tenth ÷ first tenth ${appendGrowth.toFixed(2)}, peak ${result.peakMemoryMb.toFixed(0)} MB`,
      );
      if (round < rounds) await rm(place, { recursive: true });
    }
    const [short, long] = [join(folder, String(rounds)), join(folder, "long")];
    await cp(short, long, { recursive: true });
    say(`extending to version ${groupDigits(versions)} by commits that write no rows`);
    const extended = await runChild(CHILD, ["extend", long, String(versions)]);
    const opens: Record<"short" | "long", ChildResult[]> = { short: [], long: [] };
    for (let round = 1; round <= rounds; round++) {
      opens.short.push(await runChild(CHILD, ["open", short, String(OPENS)]));
      opens.long.push(await runChild(CHILD, ["open", long, String(OPENS)]));
    }
    for (const [results, files] of [[opens.short, appends] as const, [opens.long, versions] as const]) {
      for (const { rows } of results) if (rows !== files) throw new Error(`${rows} live files, not ${files}`);
    }
    const of = (results: readonly ChildResult[], name: string) =>
      rounded(median(results.map((result) => result.figures[name] ?? Number.NaN)));
    const figures = {
      appends,
      versions,
      appendMs: of(appended, "appendMs"),
      appendP95Ms: of(appended, "appendP95Ms"),
      firstAppendMs: of(appended, "firstAppendMs"),
      lastAppendMs: of(appended, "lastAppendMs"),
      floorMs: of(appended, "floorMs"),
      appendRatio: of(appended, "appendRatio"),
      appendGrowth: of(appended, "appendGrowth"),
      commitMs: of([extended], "commitMs"),
      commitP95Ms: of([extended], "commitP95Ms"),
      commitGrowth: of([extended], "commitGrowth"),
      openMs: of(opens.long, "openMs"),
      firstOpenMs: of(opens.long, "firstOpenMs"),
      shortOpenMs: of(opens.short, "openMs"),
      openGrowth: rounded(of(opens.long, "openMs") / of(opens.short, "openMs")),
      peakMemoryMb: Math.round(Math.max(...appended.map((result) => result.peakMemoryMb))),
      openPeakMemoryMb: Math.round(Math.max(...opens.long.map((result) => result.peakMemoryMb))),
    };
    say(
      `append of 10 rows ${formatDuration(figures.appendMs)} (p95 ${formatDuration(figures.appendP95Ms)}), opening version ${groupDigits(versions)} ${formatDuration(figures.openMs)}, version ${groupDigits(appends)} ${formatDuration(figures.shortOpenMs)}`,
    );
    return figures;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
