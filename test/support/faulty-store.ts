import { TransientError } from "../../lakehouse/errors.ts";
import type { ObjectStore, StoredObject } from "../../lakehouse/store/store.ts";

/** What happens to one call. Those that cannot happen to its method do not. */
export interface Fault {
  /** Runs before the call, as a rival would. `path` is the call's, or the prefix of a listing. */
  readonly before?: (path: string) => Promise<void>;
  /** Runs once the call has its result, before the caller gets it: a slow answer, overtaken by what this does. */
  readonly after?: (path: string) => Promise<void>;
  /** The call does not happen, and the caller is told so. */
  readonly failBefore?: boolean;
  /** The call happens, and the caller is told that it failed. */
  readonly failAfter?: boolean;
  /** A listing misses so many of its last names. */
  readonly missNewest?: number;
  /** A read gives only this share of the bytes, 0 up to 1. */
  readonly tear?: number;
}

const METHODS = ["list", "get", "getRange", "put", "putIfAbsent", "putFile", "delete"] as const;
export type FaultyMethod = (typeof METHODS)[number];

/** One call of the port. */
interface Call {
  readonly method: FaultyMethod;
  /** As the store that was called sees it: relative to the folder of a `within`. */
  readonly path: string;
}

/** Decides what happens to a call; undefined lets it through. */
export type FaultSource = (call: Call) => Fault | undefined;

/** Faults in order, one a call of the method. */
export type FaultPlan = { readonly [M in FaultyMethod]?: Fault[] };

/**
 * A store whose calls meet faults, as are those of its sub-folders: an array is for put-if-absent, a plan for the
 * methods it names, a source for whatever it likes. After the faults it behaves.
 */
export function faultyStore(store: ObjectStore, faults: Fault[] | FaultPlan | FaultSource): ObjectStore {
  return wrap(store, asSource(faults));
}

function asSource(faults: Fault[] | FaultPlan | FaultSource): FaultSource {
  if (typeof faults === "function") return faults;
  const plan: FaultPlan = Array.isArray(faults) ? { putIfAbsent: faults } : faults;
  return ({ method }) => plan[method]?.shift();
}

function wrap(store: ObjectStore, source: FaultSource): ObjectStore {
  const meet = async <T>(
    method: FaultyMethod,
    path: string,
    work: () => Promise<T>,
    spoil: (result: T, fault: Fault) => T = (result) => result,
  ): Promise<T> => {
    const fault = source({ method, path }) ?? {};
    await fault.before?.(path);
    if (fault.failBefore) throw lost("before");
    const result = await work();
    await fault.after?.(path);
    if (fault.failAfter) throw lost("after");
    return spoil(result, fault);
  };
  return {
    root: store.root,
    list: (prefix, from) => meet("list", prefix, () => store.list(prefix, from), missNewest),
    get: (path) => meet("get", path, () => store.get(path), tear),
    getRange: (path, start, end) => meet("getRange", path, () => store.getRange(path, start, end), tear),
    put: (path, bytes) => meet("put", path, () => store.put(path, bytes)),
    putIfAbsent: (path, bytes) => meet("putIfAbsent", path, () => store.putIfAbsent(path, bytes)),
    putFile: (path, localFile) => meet("putFile", path, () => store.putFile(path, localFile)),
    delete: (path) => meet("delete", path, () => store.delete(path)),
    address: (path) => store.address(path),
    stagingFolder: () => store.stagingFolder(),
    within: (path) => wrap(store.within(path), source),
  };
}

function missNewest(listed: StoredObject[], { missNewest: count = 0 }: Fault): StoredObject[] {
  // A listing that misses everything would say that there is no table.
  return listed.slice(0, Math.max(1, listed.length - count));
}

function tear(bytes: Uint8Array | undefined, { tear: share }: Fault): Uint8Array | undefined {
  return share === undefined ? bytes : bytes?.subarray(0, Math.floor(bytes.length * share));
}

function lost(when: "before" | "after"): TransientError {
  return new TransientError(`connection lost ${when} the call was carried out`, {
    code: "STORE_CONNECTION_LOST",
    next: "It was planned by a test.",
  });
}

/** How often each fault comes up, 0 to 1; absent ones never do. */
export interface FaultRates {
  readonly failBefore?: number;
  readonly failAfter?: number;
  readonly missNewest?: number;
  readonly tear?: number;
}

/** Faults at random, the same ones for the same seed and calls; on all methods unless some are named. */
export function randomFaults(
  seed: number,
  rates: FaultRates,
  methods: readonly FaultyMethod[] = METHODS,
): FaultSource {
  const random = randomNumbers(seed);
  const hits = (rate = 0) => random() < rate;
  return ({ method }) => {
    if (!methods.includes(method)) return undefined;
    return {
      failBefore: hits(rates.failBefore),
      failAfter: hits(rates.failAfter),
      missNewest: hits(rates.missNewest) ? 1 + Math.floor(random() * 3) : 0,
      ...(hits(rates.tear) ? { tear: random() } : {}),
    };
  };
}

/** Numbers from 0 up to 1: a linear congruential generator modulo 2^32, of whose digits the upper are used. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}
