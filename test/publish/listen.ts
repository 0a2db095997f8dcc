import type { PublishTarget, SubscribeOptions, VersionEvent } from "../../layers/publish/target.ts";

/** A subscription and what it was told. */
export async function listen(target: PublishTarget, set: string, options: SubscribeOptions = {}) {
  const seen: VersionEvent[] = [];
  let wake = () => {};
  const { close } = await target.subscribe(
    set,
    (event) => {
      seen.push(event);
      wake();
    },
    options,
  );
  const isAt = (version: number, rolledBack: boolean) =>
    seen.at(-1)?.version === version && seen.at(-1)?.rolledBack === rolledBack;
  const until = async (version: number, rolledBack = false) => {
    while (!isAt(version, rolledBack)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { seen, until, close };
}
