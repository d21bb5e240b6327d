import { describe, expect, test } from "vitest";
import { admit, type Arrival } from "./gate.ts";
import { cookieValues, isSameToken, newToken } from "./token.ts";

const token = newToken();
const server = { token, port: 4747 };
const host = "127.0.0.1:4747";
const cookie = `penstock-4747=${token}`;
const origin = `http://${host}`;

function arrival(headers: Arrival["headers"], rest: Partial<Arrival> = {}): Arrival {
  return {
    method: "GET",
    url: "/notebooks",
    isUpgrade: false,
    headers: { host, ...headers },
    ...rest,
  };
}

function outcome(given: Arrival): string {
  const verdict = admit(given, server);
  return verdict.kind === "refuse" ? verdict.problem.code : verdict.kind;
}

describe("a request comes in", () => {
  const post = { method: "POST", url: "/api/snapshots" };
  const upgrade = { url: "/api/pipelines/live", isUpgrade: true };
  const cases: [string, Arrival, string][] = [
    ["with the cookie", arrival({ cookie }), "pass"],
    ["with the cookie among others", arrival({ cookie: `a=b; ${cookie}; c=d` }), "pass"],
    ["with a bearer", arrival({ authorization: `Bearer ${token}` }), "pass"],
    ["by the name localhost", arrival({ cookie, host: "localhost:4747" }), "pass"],
    ["by the IPv6 loopback", arrival({ cookie, host: "[::1]:4747" }), "pass"],
    ["posting from our own page", arrival({ cookie, origin }, post), "pass"],
    ["posting from the command line", arrival({ authorization: `Bearer ${token}` }, post), "pass"],
    ["upgrading from our own page", arrival({ cookie, origin }, upgrade), "pass"],
    ["with the token in a page's address", arrival({}, { url: `/?token=${token}` }), "signIn"],
    [
      "followed from another site to a page",
      arrival({ cookie, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }),
      "pass",
    ],

    ["without anything", arrival({}), "signed-out"],
    ["with another token in the address", arrival({}, { url: "/?token=guess" }), "signed-out"],
    [
      "with the token in an API address",
      arrival({}, { url: `/api/status?token=${token}` }),
      "signed-out",
    ],
    ["with another port's cookie", arrival({ cookie: `penstock-4748=${token}` }), "signed-out"],
    [
      "with a wrong bearer beside a good cookie",
      arrival({ cookie, authorization: "Bearer guess" }),
      "signed-out",
    ],
    [
      "by another name (DNS rebinding)",
      arrival({ cookie, host: "rebound.example:4747" }),
      "foreign-host",
    ],
    ["by our name with another port", arrival({ cookie, host: "127.0.0.1:80" }), "foreign-host"],
    ["by our name without a port", arrival({ cookie, host: "127.0.0.1" }), "foreign-host"],
    ["without a name", arrival({ cookie, host: undefined }), "foreign-host"],
    [
      "posting from another site",
      arrival({ cookie, origin: "https://evil.example" }, post),
      "foreign-origin",
    ],
    [
      "posting from another port",
      arrival({ cookie, origin: "http://127.0.0.1:9999" }, post),
      "foreign-origin",
    ],
    ["posting from nowhere", arrival({ cookie, origin: "null" }, post), "foreign-origin"],
    ["posting with a cookie and no origin", arrival({ cookie }, post), "foreign-origin"],
    [
      "upgrading from another site",
      arrival({ cookie, origin: "https://evil.example" }, upgrade),
      "foreign-origin",
    ],
    ["upgrading with a cookie and no origin", arrival({ cookie }, upgrade), "foreign-origin"],
    [
      "reading the API for another port's page",
      arrival(
        { cookie, "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" },
        { url: "/api/status" },
      ),
      "foreign-origin",
    ],
    [
      "embedding an asset in another site",
      arrival({ cookie, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }),
      "foreign-origin",
    ],
  ];
  test.each(cases)("%s", (_name, given, expected) => {
    expect(outcome(given)).toBe(expected);
  });
});

test("signing in keeps the rest of the address, stays on this server and names the cookie after the port", () => {
  const verdict = admit(arrival({}, { url: `//evil.example/x?a=1&token=${token}&b=2` }), server);
  expect(verdict).toEqual({
    kind: "signIn",
    location: "/evil.example/x?a=1&b=2",
    cookie: `penstock-4747=${token}; Path=/; HttpOnly; SameSite=Strict`,
  });
});

test("a token is compared whole, whatever its length", () => {
  expect(isSameToken(token, token)).toBe(true);
  expect(isSameToken(token.slice(0, -1), token)).toBe(false);
  expect(isSameToken("", token)).toBe(false);
  expect(newToken()).not.toBe(token);
  expect(token).toMatch(/^[\w-]{43}$/);
});

test("a cookie set twice gives both values", () => {
  expect(cookieValues("a=1; b=2; a=3; =; x", "a")).toEqual(["1", "3"]);
});
