/** A signal that is aborted as soon as one of others is. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  readonly abort: (reason?: unknown) => void;
  /** Lets go of the others. */
  readonly unlink: () => void;
}

/** Unlike `AbortSignal.any` it leaves nothing behind at signals that live as long as the process. */
export function linkedSignal(...others: readonly AbortSignal[]): LinkedSignal {
  const controller = new AbortController();
  const listeners = others.map((other) => {
    const listen = () => controller.abort(other.reason);
    if (other.aborted) listen();
    else other.addEventListener("abort", listen, { once: true });
    return () => other.removeEventListener("abort", listen);
  });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink: () => {
      for (const remove of listeners) remove();
    },
  };
}
