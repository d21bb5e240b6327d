/**
 * SvelteKit's handler is a bundle of its own: importing the API from there would make a second one, with a second workbench. The
 * server therefore lays its API on each request; adapter-node passes the request on as `event.platform.req`.
 */
export type ApiLike = { fetch(request: Request): Response | Promise<Response> };

const key = Symbol.for("penstock.api");

export function handOver(request: object, api: ApiLike): void {
  Object.defineProperty(request, key, { value: api });
}

/** Undefined when the pages run under another server than Penstock's own. */
export function handedOver(request: object | undefined): ApiLike | undefined {
  return request && (request as { [key]?: ApiLike })[key];
}
