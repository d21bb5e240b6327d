/** Questions on their way over a socket, each by its number, until the answer comes or the connection goes. */
export class Replies<Answer> {
  #waiting = new Map<number, (answer: Answer | undefined) => void>();
  #next = 1;

  /** Takes a number, sends the question with it, and waits. Undefined when no answer will come any more. */
  ask(send: (id: number) => void): Promise<Answer | undefined> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      send(id);
    });
  }

  answer(id: number, answer: Answer): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }

  abandon(): void {
    for (const resolve of this.#waiting.values()) resolve(undefined);
    this.#waiting.clear();
  }
}
