import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Entries kept in the file and in memory. */
export const HISTORY_SIZE = 1000;
/** SQL may hold what others on the machine should not read. */
const OWNER_ONLY = 0o600;

/**
 * Lines typed at the prompt, newest last, in a file of one entry a line. Each is appended at once, so that prompts
 * side by side and a crash lose none. A file that cannot be written costs the history, not the prompt.
 */
export class History {
  private readonly file: string;
  private kept: string[];

  private constructor(file: string, entries: string[]) {
    this.file = file;
    this.kept = entries;
  }

  static open(file: string): History {
    const history = new History(file, []);
    history.trim();
    return history;
  }

  /** Newest first, as readline wants them. */
  newestFirst(): string[] {
    return this.kept.toReversed();
  }

  /** Adds an entry unless it repeats the last or has several lines. */
  add(entry: string): void {
    if (entry.trim() === "" || /[\r\n]/.test(entry) || entry === this.kept.at(-1)) return;
    this.kept = [...this.kept, entry].slice(-HISTORY_SIZE);
    attempt(() => appendFileSync(this.file, `${entry}\n`, { mode: OWNER_ONLY }));
  }

  /** Reads the file and cuts it to its newest entries. Others may have appended since it was opened. */
  trim(): void {
    attempt(() => {
      mkdirSync(dirname(this.file), { recursive: true });
      appendFileSync(this.file, "", { mode: OWNER_ONLY });
      // The mode above counts only for a new file.
      chmodSync(this.file, OWNER_ONLY);
      const entries = readFileSync(this.file, "utf8")
        .split(/\r?\n/)
        .filter((line) => line !== "");
      this.kept = entries.slice(-HISTORY_SIZE);
      if (entries.length <= HISTORY_SIZE) return;
      const temporary = `${this.file}.${process.pid}.tmp`;
      writeFileSync(temporary, `${this.kept.join("\n")}\n`, { mode: OWNER_ONLY });
      renameSync(temporary, this.file);
    });
  }
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // No history then; the prompt works without.
  }
}
