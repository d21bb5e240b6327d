import { onDestroy } from "svelte";
import { SvelteSet } from "svelte/reactivity";
import { chordOf, isWriting } from "./keys.ts";
import type { IconName } from "./icons.ts";

export type Command = {
  id: string;
  title: string;
  /** What kind of thing it is, in third ink: "notebook", "release". */
  kind?: string;
  icon?: IconName;
  /** `Mod+S`, or two keys in turn: `g n`. */
  keys?: string;
  /** Listed in the palette only; the keys are handled where they apply. */
  isPaletteOnly?: boolean;
  run: () => void;
};

class Commands {
  // A set, not a list made anew: a page that goes reads, while it is torn down, the list as it was before the next page came.
  #sources = new SvelteSet<() => Command[]>();
  // The page's own before those every page has.
  all = $derived([...this.#sources].toReversed().flatMap((source) => source()));
  isPaletteOpen = $state(false);
  isHelpOpen = $state(false);
  #prefix = "";
  #prefixAt = 0;

  add(source: () => Command[]): () => void {
    this.#sources.add(source);
    return () => {
      this.#sources.delete(source);
    };
  }

  /** Runs the command whose keys were pressed. Bare letters are left to whoever is writing. */
  handle(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return;
    const chord = chordOf(event);
    if (isWriting(event.target) && !/^(Mod|Alt|Control)\+/.test(chord)) return;
    const isSequence = event.timeStamp - this.#prefixAt < 1_200;
    const on = (pressed: string): Command | undefined =>
      this.all.find(
        ({ keys, isPaletteOnly }) =>
          !isPaletteOnly && keys?.toLowerCase() === pressed.toLowerCase(),
      );
    // Two keys in turn before the second alone: after `g`, `r` is the releases', whatever it does on the page.
    const command = (this.#prefix && isSequence && on(`${this.#prefix} ${chord}`)) || on(chord);
    this.#prefix = command ? "" : chord;
    this.#prefixAt = event.timeStamp;
    if (!command || this.isPaletteOpen) return;
    event.preventDefault();
    command.run();
  }
}

export const commands = new Commands();

/** Offers a component's commands in the palette and by key for as long as it lives. */
export function offer(source: () => Command[]): void {
  onDestroy(commands.add(source));
}
