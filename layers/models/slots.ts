/** Places among the models that are built at once. */
import pLimit from "p-limit";

/** So many places; who comes first has the first that is free. */
export class Slots {
  private readonly limit: ReturnType<typeof pLimit>;

  constructor(count: number) {
    this.limit = pLimit(count);
  }

  /** Does work that has a place. */
  async with<T>(work: (slot: Slot) => Promise<T>): Promise<T> {
    const slot = new Slot(() => this.take());
    await slot.take();
    try {
      return await work(slot);
    } finally {
      slot.free();
    }
  }

  /** Resolves with what gives the place back. */
  private take(): Promise<() => void> {
    return new Promise((taken) => {
      void this.limit(() => new Promise<void>(taken));
    });
  }
}

/** The place of one piece of work, which waits for one thing at a time. */
export class Slot {
  private giveBack: () => void = () => {};
  private readonly next: () => Promise<() => void>;

  constructor(next: () => Promise<() => void>) {
    this.next = next;
  }

  async take(): Promise<void> {
    this.giveBack = await this.next();
  }

  free(): void {
    this.giveBack();
  }

  /** Waits for others, whom the place is left to meanwhile: else all places could be held by those who wait. */
  async leaveTo(others: Promise<unknown>): Promise<void> {
    this.free();
    try {
      await others;
    } finally {
      await this.take();
    }
  }
}
