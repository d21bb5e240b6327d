/** What a person can put right: the message is one line that says what is wrong and what to do. */
export class StackProblem extends Error {
  name = "StackProblem";

  /** `started`: the servers that did start meanwhile. */
  constructor(message, started = []) {
    super(message);
    this.started = started;
  }
}
