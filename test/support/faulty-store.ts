import type { ObjectStore } from "../../lakehouse/store/store.ts";

/** What happens instead of, before or after one put-if-absent. */
export interface Fault {
  /** Runs before the write, as a rival would. */
  readonly before?: (path: string) => Promise<void>;
  /** The write happens, and the caller is told that it failed. */
  readonly failAfter?: boolean;
  /** The write does not happen, and the caller is told so. */
  readonly failBefore?: boolean;
}

/** A store whose put-if-absent meets the given faults, one a call; afterwards it behaves. */
export function faultyStore(store: ObjectStore, faults: Fault[]): ObjectStore {
  return new Proxy(store, {
    get(target, name, receiver) {
      if (name !== "putIfAbsent") return Reflect.get(target, name, receiver);
      return async (path: string, bytes: Uint8Array) => {
        const fault = faults.shift();
        await fault?.before?.(path);
        if (fault?.failBefore) throw new Error("connection lost before the write");
        const written = await target.putIfAbsent(path, bytes);
        if (fault?.failAfter) throw new Error("connection lost after the write");
        return written;
      };
    },
  });
}
