import type { ObjectStore } from "../store/store.ts";

/**
 * A store whose every change is asked for first: `check` throws where it must not happen. Work under a lease is given
 * one, so that a process that has lost the lease, or was told to stop, ends with the commit that is under way.
 *
 * Between the check and the write a process may be stopped for any time. Such a write meets what it would meet
 * without a lease: a commit of a version that exists is refused, and so is one that moves a position which another
 * commit has moved.
 */
export function guardedStore(store: ObjectStore, check: () => void): ObjectStore {
  const checked = async <T>(change: () => Promise<T>): Promise<T> => {
    check();
    return change();
  };
  return {
    root: store.root,
    list: (prefix, from) => store.list(prefix, from),
    get: (path) => store.get(path),
    getRange: (path, start, end) => store.getRange(path, start, end),
    put: (path, bytes) => checked(() => store.put(path, bytes)),
    putIfAbsent: (path, bytes) => checked(() => store.putIfAbsent(path, bytes)),
    putFile: (path, localFile) => checked(() => store.putFile(path, localFile)),
    delete: (path) => checked(() => store.delete(path)),
    address: (path) => store.address(path),
    stagingFolder: () => store.stagingFolder(),
    within: (path) => guardedStore(store.within(path), check),
  };
}
