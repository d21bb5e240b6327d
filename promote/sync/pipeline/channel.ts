/**
 * A bounded queue between two stages: `push` waits while it is full, so that the slowest stage sets the pace of all.
 * After `close`, what is queued is still pulled, then undefined.
 */
export type Channel<T> = {
  push(item: T): Promise<void>;
  pull(): Promise<T | undefined>;
  close(): void;
  isFull(): boolean;
};

export function openChannel<T>(capacity: number): Channel<T> {
  const items: T[] = [];
  let isClosed = false;
  let waiting: (() => void)[] = [];
  const change = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  const isOpen = (): boolean => !isClosed;
  const wake = (): void => {
    const woken = waiting;
    waiting = [];
    for (const resolve of woken) resolve();
  };
  return {
    async push(item) {
      while (items.length >= capacity && isOpen()) await change();
      if (isClosed) return;
      items.push(item);
      wake();
    },
    async pull() {
      while (items.length === 0 && isOpen()) await change();
      const item = items.shift();
      wake();
      return item;
    },
    close() {
      isClosed = true;
      wake();
    },
    isFull: () => items.length >= capacity,
  };
}
