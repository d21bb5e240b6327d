import type { Problem } from "#snapshots/problem.ts";

export type Toast = {
  id: number;
  tone: "done" | "warn" | "fail";
  title: string;
  detail?: string | undefined;
  action?: { label: string; href?: string; run?: () => void };
};

/** For what happened elsewhere than where the person looks. What failed here is a Notice at its place. */
class Toasts {
  all = $state.raw<Toast[]>([]);
  #next = 1;

  show(toast: Omit<Toast, "id">, forMs = toast.tone === "done" ? 6_000 : 0): number {
    const id = this.#next++;
    this.all = [...this.all.slice(-3), { ...toast, id }];
    if (forMs > 0) setTimeout(() => this.dismiss(id), forMs);
    return id;
  }

  problem(problem: Problem): number {
    return this.show({ tone: "fail", title: problem.message, detail: problem.hint });
  }

  dismiss(id: number): void {
    this.all = this.all.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
