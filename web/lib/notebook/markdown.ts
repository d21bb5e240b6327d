import DOMPurify from "dompurify";
import { marked } from "marked";

/** Markdown as HTML that can do nothing: no scripts, no frames, no forms; links open elsewhere. */
export function renderMarkdown(text: string): string {
  const html = marked.parse(text, { async: false, gfm: true });
  return DOMPurify.sanitize(html, {
    USE_PROFILES: { html: true },
    FORBID_TAGS: ["style", "form", "input", "button", "textarea", "select"],
    FORBID_ATTR: ["style", "id", "name"],
  });
}
