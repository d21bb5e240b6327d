/** Puts what a button opened below it, above where there is no room; one of its edges with the button's, and all of it in the window. */
export function placeBeside(
  opened: HTMLElement,
  button: HTMLElement,
  edge: "left" | "right",
): void {
  const at = button.getBoundingClientRect();
  const box = opened.getBoundingClientRect();
  const left = edge === "left" ? at.left : at.right - box.width;
  const isBelow = at.bottom + box.height + 8 <= innerHeight;
  const top = isBelow ? at.bottom + 4 : Math.max(8, at.top - box.height - 4);
  opened.style.left = `${Math.max(8, Math.min(left, innerWidth - box.width - 8))}px`;
  opened.style.top = `${top}px`;
}
