/** Waiting that has an end. */

/** What the work gives, if it ends in so many milliseconds, and before the signal; undefined otherwise. */
export async function within<T>(
  milliseconds: number,
  work: Promise<T>,
  signal?: AbortSignal,
): Promise<T | undefined> {
  let give = () => {};
  const over = new Promise<undefined>((resolve) => {
    give = () => resolve(undefined);
  });
  const timer = setTimeout(give, milliseconds);
  signal?.addEventListener("abort", give, { once: true });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", give);
  }
}
