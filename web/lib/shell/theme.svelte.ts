export type Theme = "system" | "light" | "dark";

/** The chosen theme; `system` follows the operating system, also when that changes at dusk. */
class ThemeChoice {
  #system = matchMedia("(prefers-color-scheme: dark)");
  #isSystemDark = $state(this.#system.matches);
  choice = $state<Theme>(stored());
  isDark = $derived(this.choice === "system" ? this.#isSystemDark : this.choice === "dark");

  constructor() {
    this.#system.addEventListener("change", (event) => {
      this.#isSystemDark = event.matches;
    });
  }

  set(choice: Theme): void {
    this.choice = choice;
    if (choice === "system") {
      localStorage.removeItem("penstock.theme");
      delete document.documentElement.dataset.theme;
      return;
    }
    localStorage.setItem("penstock.theme", choice);
    document.documentElement.dataset.theme = choice;
  }

  next(): void {
    const turn: Record<Theme, Theme> = {
      system: this.#isSystemDark ? "light" : "dark",
      light: "dark",
      dark: "light",
    };
    const next = turn[this.choice];
    // Coming back round to what the system shows anyway means: follow the system again.
    const isSystems = (next === "dark") === this.#isSystemDark;
    this.set(isSystems ? "system" : next);
  }
}

function stored(): Theme {
  const value = localStorage.getItem("penstock.theme");
  return value === "light" || value === "dark" ? value : "system";
}

export const theme = new ThemeChoice();
