const isApple = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);

const appleNames: Record<string, string> = {
  Mod: "⌘",
  Shift: "⇧",
  Alt: "⌥",
  Control: "⌃",
  Enter: "⏎",
};
const otherNames: Record<string, string> = {
  Mod: "Ctrl",
  Control: "Ctrl",
  Shift: "⇧",
  Alt: "Alt",
  Enter: "⏎",
};
const sharedNames: Record<string, string> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  Backspace: "⌫",
};

/** How a chord such as `Mod+Shift+Enter` is written on this person's keyboard. */
export function chordText(chord: string): string {
  const names = isApple ? appleNames : otherNames;
  return chord
    .split("+")
    .map((key) => names[key] ?? sharedNames[key] ?? (key.length === 1 ? key.toUpperCase() : key))
    .join(" ");
}

/** The chord a key press makes: `Mod+K`, `Shift+Enter`, `?`. Mod is ⌘ on Apple's keyboards and Ctrl elsewhere. */
export function chordOf(event: KeyboardEvent): string {
  const mod = isApple ? event.metaKey : event.ctrlKey;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isSymbol = event.key.length === 1 && !/[a-z0-9]/i.test(event.key);
  return [
    mod && "Mod",
    isApple && event.ctrlKey && "Control",
    event.altKey && "Alt",
    event.shiftKey && !isSymbol && "Shift",
    key,
  ]
    .filter(Boolean)
    .join("+");
}

/** Compares chords without regard to the case of letters. */
export function isChord(event: KeyboardEvent, chord: string): boolean {
  return chordOf(event).toLowerCase() === chord.toLowerCase();
}

/** True where a key press is text being written, so that single-letter shortcuts must leave it alone. */
export function isWriting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return (
    target.isContentEditable ||
    target.closest("input, textarea, select, [role=textbox], .monaco-editor") !== null
  );
}
