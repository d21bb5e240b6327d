import type { ServerResponse } from "node:http";
import type { Problem } from "#snapshots/problem.ts";

/** On every answer. Pages carry their own, fuller content policy on top (SvelteKit's `csp`). */
export const securityHeaders: Record<string, string> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "content-security-policy": "frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
};

/** What is answered to programs is never a page, whatever a browser takes it for. */
export const dataPolicy = [
  "content-security-policy",
  "default-src 'none'; frame-ancestors 'none'",
] as const;

/** A refusal as the asker reads it: JSON for a program, a plain page for a person. */
export function answerRefusal(
  response: ServerResponse,
  refusal: { status: number; problem: Problem },
  reader: "program" | "person",
): void {
  const text =
    reader === "program"
      ? JSON.stringify({ problem: refusal.problem })
      : refusalPage(refusal.status, refusal.problem);
  response.writeHead(refusal.status, {
    "content-type": reader === "program" ? "application/json" : "text/html; charset=utf-8",
    "content-security-policy":
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "cache-control": "no-store",
    ...(refusal.status === 401 ? { "www-authenticate": 'Bearer realm="Penstock"' } : {}),
  });
  response.end(text);
}

/** Stands alone: whoever is refused gets no asset of ours. */
export function refusalPage(status: number, { message, hint = "" }: Problem): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${status} · Penstock</title>
<style>
:root { color-scheme: light dark; font: 14px/1.5 system-ui, sans-serif; }
body { display: grid; place-content: center; min-height: 90vh; margin: 0 16px; }
main { max-width: 60ch; }
h1 { font-size: 16px; font-weight: 600; margin: 0 0 4px; }
p { margin: 0; }
</style>
<main>
<h1>${escape(message)}</h1>
<p>${escape(hint)}</p>
</main>
</html>
`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
