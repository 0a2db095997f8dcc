/** Reading many things in order, some of them ahead. */

/**
 * Results of `work` in the order of the items, while at most `limit` are under way or wait to be taken. The first
 * error ends it.
 */
export async function* readAhead<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const ahead: Promise<R>[] = [];
  const start = (item: T) => {
    const result = work(item);
    // Whoever takes it gets the error; if nobody comes for it, it is no crash of the process.
    result.catch(() => {});
    ahead.push(result);
  };
  for (const item of items) {
    if (ahead.length >= limit) yield await taken(ahead);
    start(item);
  }
  while (ahead.length > 0) yield await taken(ahead);
}

function taken<R>(ahead: Promise<R>[]): Promise<R> {
  return ahead.shift() ?? Promise.reject(new RangeError("nothing was started"));
}
