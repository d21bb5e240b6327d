import type { Reporter, TestCase, TestModule } from "vitest/node";

const LOOK_MS = 60_000;

/** Says once a minute which tests have run for a minute or more: without a terminal, vitest says nothing of a file until it is over. */
export class StillRunning implements Reporter {
  readonly #since = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  onTestRunStart(): void {
    this.#timer = setInterval(() => this.#tell(), LOOK_MS);
    this.#timer.unref();
  }

  onTestModuleQueued({ relativeModuleId }: TestModule): void {
    this.#since.set(`${relativeModuleId} (being loaded)`, performance.now());
  }

  onTestModuleStart({ relativeModuleId }: TestModule): void {
    this.#since.delete(`${relativeModuleId} (being loaded)`);
  }

  onTestCaseReady(test: TestCase): void {
    this.#since.set(nameOf(test), performance.now());
  }

  onTestCaseResult(test: TestCase): void {
    this.#since.delete(nameOf(test));
  }

  onTestRunEnd(): void {
    clearInterval(this.#timer);
  }

  #tell(): void {
    for (const [name, since] of this.#since) {
      const seconds = Math.round((performance.now() - since) / 1000);
      if (seconds * 1000 >= LOOK_MS) console.log(`Still running after ${seconds} s: ${name}`);
    }
  }
}

function nameOf({ module, fullName }: TestCase): string {
  return `${module.relativeModuleId} > ${fullName}`;
}
