import { handedOver } from "./handover.ts";
import type { Pages } from "./http.ts";

/** For tests: what SvelteKit's catch-all route does, without the built pages. */
export const apiPages: Pages = (request, response, next) => {
  const api = handedOver(request);
  if (!api || !request.url?.startsWith("/api/")) return next();
  const answer = async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const abort = new AbortController();
    response.once("close", () => abort.abort());
    const url = `http://${request.headers.host}${request.url}`;
    const answered = await api.fetch(
      new Request(url, {
        method: request.method ?? "GET",
        headers: { "content-type": request.headers["content-type"] ?? "" },
        signal: abort.signal,
        ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
      }),
    );
    response.writeHead(answered.status, Object.fromEntries(answered.headers));
    for await (const chunk of answered.body ?? []) response.write(chunk);
    response.end();
  };
  answer().catch(() => response.destroy());
};
