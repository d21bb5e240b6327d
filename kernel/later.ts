/** Work done a while after it is asked for, once for all who asked meanwhile. It keeps no process alive. */
export function later(delayMs: number, work: () => void): { ask(): void; cancel(): void } {
  let timer: NodeJS.Timeout | undefined;
  return {
    ask() {
      timer ??= setTimeout(() => {
        timer = undefined;
        work();
      }, delayMs).unref();
    },
    cancel() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
