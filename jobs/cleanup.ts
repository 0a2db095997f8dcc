/**
 * What must be undone before the process goes, however it goes: servers that it started, the cursor of the
 * terminal. Commits need none of this: what is not committed was never there.
 */

type Undo = () => Promise<unknown> | unknown;

const pending: Undo[] = [];

/** Registers an undo; the returned function runs it once, now. */
export function onCleanup(undo: Undo): () => Promise<void> {
  pending.push(undo);
  return async () => {
    const at = pending.indexOf(undo);
    if (at < 0) return;
    pending.splice(at, 1);
    await undo();
  };
}

/** Runs everything that is registered, the newest first; a failing one does not stop the rest. */
async function cleanUp(): Promise<void> {
  for (let undo = pending.pop(); undo !== undefined; undo = pending.pop()) {
    try {
      await undo();
    } catch {
      // Nobody is left to tell; the next undo matters more.
    }
  }
}

/** Aborted by the first Ctrl-C or SIGTERM, for work that likes to end by itself. */
export const interruption = new AbortController();

/** Milliseconds that cleaning up may take after a signal. */
const PATIENCE = 10_000;

/**
 * On SIGINT, SIGTERM and SIGHUP: clean up, then die of that very signal, so that a shell sees what happened. An
 * ordinary exit would wait for threads, and one of them may be waiting for a FIFO.
 */
export function installSignalHandlers(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const handle = () => {
      interruption.abort();
      const die = () => {
        process.removeAllListeners(signal);
        process.kill(process.pid, signal);
      };
      setTimeout(die, PATIENCE).unref();
      cleanUp().then(die, die);
      // A second signal while cleaning up changes nothing: the bound above holds.
      process.on(signal, () => {});
    };
    process.once(signal, handle);
  }
}
