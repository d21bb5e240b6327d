declare global {
  namespace App {
    interface Platform {
      /** The server's Hono application, so that a request for `/api/…` through SvelteKit meets the same API. */
      api?: { fetch(request: Request): Response | Promise<Response> };
    }
  }
}

export {};
