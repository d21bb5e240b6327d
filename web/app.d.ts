declare namespace App {
  interface Platform {
    /** The server's own request, which carries the API (web/server/handover.ts). Set by adapter-node. */
    req?: object;
  }
}
