/** Asks servers for numbers in the background: whoever reports the last known ones never waits for an answer. */
export type Measuring = {
  /** Asks `whom`, unless an earlier question to it is still open. What fails is asked again next time. */
  ask<T>(whom: object, question: () => Promise<T>, answered: (value: T) => void): void;
};

export function openMeasuring(): Measuring {
  const open = new WeakSet<object>();
  return {
    ask(whom, question, answered) {
      if (open.has(whom)) return;
      open.add(whom);
      void question()
        .then(answered, () => undefined)
        .finally(() => open.delete(whom));
    },
  };
}
