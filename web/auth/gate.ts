import type { Problem } from "#snapshots/problem.ts";
import { cookieName, cookieValues, isSameToken } from "./token.ts";

/** What the gate looks at: nothing of the body. */
export type Arrival = {
  method: string;
  /** Path and query as sent. */
  url: string;
  isUpgrade: boolean;
  headers: {
    host?: string | undefined;
    origin?: string | undefined;
    cookie?: string | undefined;
    authorization?: string | undefined;
    "sec-fetch-site"?: string | string[] | undefined;
    "sec-fetch-mode"?: string | string[] | undefined;
  };
};

export type Verdict =
  | { kind: "pass" }
  /** The token came in the address: keep it in a cookie and go on at an address without it. */
  | { kind: "signIn"; cookie: string; location: string }
  | { kind: "refuse"; status: 400 | 401 | 403 | 421; problem: Problem };

/**
 * Whether a request may come in. Loopback alone does not protect: any page in the browser can send requests here.
 * - `Host` must be this machine's own name, or a foreign name pointed at 127.0.0.1 could read answers (DNS rebinding).
 * - The token must be there: in a cookie, as a bearer, or once in a page's address.
 * - Whatever changes something must come from our own pages (`Origin`), and a browser always says where from; only a bearer,
 *   which no foreign page can know, may leave it out.
 */
export function admit(arrival: Arrival, server: { token: string; port: number }): Verdict {
  const { method, headers } = arrival;
  const foreign = refuseForeign(arrival, server.port);
  if (foreign.kind !== "pass") return foreign;

  const isReading = isRead(arrival);
  const isPage = isReading && !arrival.url.startsWith("/api/");

  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  if (bearer !== undefined) {
    return isSameToken(bearer, server.token) ? { kind: "pass" } : refusals.token();
  }
  const hasCookie = cookieValues(headers.cookie, cookieName(server.port)).some((value) =>
    isSameToken(value, server.token),
  );
  const signIn = isPage && method === "GET" ? tokenInAddress(arrival.url) : undefined;
  if (signIn && isSameToken(signIn.token, server.token)) {
    return { kind: "signIn", cookie: cookie(server), location: signIn.location };
  }
  if (!hasCookie) return refusals.token();
  if (!isReading && headers.origin === undefined) return refusals.origin(undefined);
  return { kind: "pass" };
}

/** What needs no token must still be asked for by this machine's own name, and by no foreign page. */
export function refuseForeign(arrival: Arrival, port: number, names = ownNames): Verdict {
  const { headers } = arrival;
  const host = headers.host?.toLowerCase();
  if (!host || !names.some((name) => host === `${name}:${port}`))
    return refusals.host(headers.host);

  const isPage = isRead(arrival) && !arrival.url.startsWith("/api/");
  const isNavigation = isPage && headers["sec-fetch-mode"] === "navigate";
  const isForeign = ["cross-site", "same-site"].includes(String(headers["sec-fetch-site"]));
  if (isForeign && !isNavigation) return refusals.origin(headers.origin);
  if (headers.origin !== undefined && headers.origin.toLowerCase() !== `http://${host}`) {
    return refusals.origin(headers.origin);
  }
  return { kind: "pass" };
}

function isRead({ method, isUpgrade }: Arrival): boolean {
  return (method === "GET" || method === "HEAD") && !isUpgrade;
}

export const ownNames: readonly string[] = ["127.0.0.1", "localhost", "[::1]"];

function cookie({ token, port }: { token: string; port: number }): string {
  return `${cookieName(port)}=${token}; Path=/; HttpOnly; SameSite=Strict`;
}

function tokenInAddress(url: string): { token: string; location: string } | undefined {
  const [path = "/", search = ""] = url.split("?", 2);
  const parameters = new URLSearchParams(search);
  const token = parameters.get("token");
  if (token === null) return undefined;
  parameters.delete("token");
  const rest = parameters.toString();
  // `//elsewhere.example` would leave this server.
  const local = `/${path.replaceAll("\\", "/").replace(/^\/+/, "")}`;
  return { token, location: rest ? `${local}?${rest}` : local };
}

const refusals = {
  host: (host: string | undefined): Verdict => ({
    kind: "refuse",
    status: 421,
    problem: {
      code: "foreign-host",
      message: `This server does not answer to the name ${JSON.stringify(host ?? "")}.`,
      hint: "Use the address it printed when it started (127.0.0.1 or localhost, with its port).",
    },
  }),
  origin: (origin: string | undefined): Verdict => ({
    kind: "refuse",
    status: 403,
    problem: {
      code: "foreign-origin",
      message: origin
        ? `A page at ${origin} may not use this server.`
        : "The request does not say which page it comes from.",
      hint: "Only Penstock's own pages and command line may.",
    },
  }),
  token: (): Verdict => ({
    kind: "refuse",
    status: 401,
    problem: {
      code: "signed-out",
      message: "The server does not know this browser.",
      hint: "Open the address with ?token=… that the server printed when it started.",
    },
  }),
};
