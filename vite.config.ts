import adapter from "@sveltejs/adapter-node";
import { sveltekit } from "@sveltejs/kit/vite";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [
    sveltekit({
      files: { src: "web", assets: "web/static" },
      adapter: adapter({ out: "build", precompress: false }),
      compilerOptions: { runes: true },
      // Monaco puts its styles into the page; nothing may put in scripts: no unsafe-eval, no inline script without a nonce.
      csp: {
        mode: "auto",
        directives: {
          "default-src": ["none"],
          "script-src": ["self"],
          "style-src": ["self", "unsafe-inline"],
          "img-src": ["self", "data:"],
          "font-src": ["self", "data:"],
          "connect-src": ["self"],
          "worker-src": ["self", "blob:"],
          "manifest-src": ["self"],
          "base-uri": ["none"],
          "form-action": ["self"],
          "frame-ancestors": ["none"],
        },
      },
      version: { pollInterval: 0 },
    }),
  ],
  worker: { format: "es" },
  build: {
    target: "es2023",
    // `light-dark()` stays what it is: rewritten for older browsers, a part of the page cannot ask for the other scheme.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    chunkSizeWarningLimit: 4_000,
  },
});
