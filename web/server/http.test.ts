import { once } from "node:events";
import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newToken } from "../auth/token.ts";
import { handedOver } from "./handover.ts";
import { createHttpServer } from "./http.ts";
import { listen } from "./port.ts";

const token = newToken();
let server: Server;
let port: number;

beforeAll(async () => {
  server = createHttpServer(
    token,
    Promise.resolve({
      api: { fetch: (request: Request) => Response.json({ path: new URL(request.url).pathname }) },
      pages: (request: IncomingMessage, response: ServerResponse, next: () => void) => {
        if (!request.url?.startsWith("/api/")) return next();
        const answer = handedOver(request)?.fetch(new Request(`http://x${request.url}`));
        void Promise.resolve(answer).then(async (a) => response.end(await a?.text()));
      },
      upgrade: (_request: IncomingMessage, socket: Duplex) =>
        socket.end("HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"),
    }),
  );
  const listening = await listen(server, { port: 0, isExplicit: false });
  if (!listening.ok) throw new Error(listening.problem.message);
  port = listening.value.port;
});

afterAll(() => server.close());

type Answer = { status: number; headers: IncomingHttpHeaders; text: string };

function send(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      { host: "127.0.0.1", port, path, method, headers: { host: `127.0.0.1:${port}`, ...headers } },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        );
      },
    );
    call.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text: "" });
    });
    call.on("error", reject);
    call.end();
  });
}

const bearer = () => ({ authorization: `Bearer ${token}` });

test("the token in an address becomes a cookie and leaves the address; the cookie then opens pages and API", async () => {
  const first = await send(`/compare?id=7&token=${token}`);
  expect(first.status).toBe(303);
  expect(first.headers.location).toBe("/compare?id=7");
  const [setCookie = ""] = first.headers["set-cookie"] ?? [];
  expect(setCookie).toContain("HttpOnly");
  expect(setCookie).toContain("SameSite=Strict");
  expect(setCookie.startsWith(`penstock-${port}=`)).toBe(true);

  const cookie = setCookie.split(";")[0] ?? "";
  const second = await send("/api/status", { cookie });
  expect(JSON.parse(second.text)).toEqual({ path: "/api/status" });
});

test("without a token a page says in one line how to get in, the API says it as a problem", async () => {
  const page = await send("/notebooks");
  expect(page.status).toBe(401);
  expect(page.headers["content-type"]).toContain("text/html");
  expect(page.text).toContain(
    "Open the address with ?token=… that the server printed when it started.",
  );

  const api = await send("/api/status");
  expect(api.status).toBe(401);
  expect(JSON.parse(api.text)).toMatchObject({ problem: { code: "signed-out" } });
});

test("no static file is served without a token", async () => {
  expect((await send("/_app/version.json")).status).toBe(401);
});

test("a foreign Host is refused even with the token (DNS rebinding)", async () => {
  const answer = await send("/api/status", { ...bearer(), host: `rebound.example:${port}` });
  expect(answer.status).toBe(421);
});

test("a foreign page cannot post, whatever it knows", async () => {
  const headers = { cookie: `penstock-${port}=${token}`, origin: "https://evil.example" };
  expect((await send("/api/snapshots", headers, "POST")).status).toBe(403);
  expect((await send("/api/snapshots", bearer(), "POST")).status).toBe(200);
});

describe("a WebSocket", () => {
  const upgrade = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  const path = "/api/pipelines/live";

  test("opens for our own page and for the command line", async () => {
    const own = { cookie: `penstock-${port}=${token}`, origin: `http://127.0.0.1:${port}` };
    expect((await send(path, { ...upgrade, ...own })).status).toBe(101);
    expect((await send(path, { ...upgrade, ...bearer() })).status).toBe(101);
  });

  test("stays shut without a token, for another origin, for another host", async () => {
    const cookie = `penstock-${port}=${token}`;
    expect((await send(path, upgrade)).status).toBe(401);
    const evil = { ...upgrade, cookie, origin: "https://evil.example" };
    expect((await send(path, evil)).status).toBe(403);
    expect((await send(path, { ...upgrade, cookie })).status).toBe(403);
    expect((await send(path, { ...upgrade, ...bearer(), host: "evil.example" })).status).toBe(421);
  });
});

test("every answer forbids sniffing, framing, and telling other sites where one was", async () => {
  for (const answer of [await send("/"), await send("/api/status", bearer())]) {
    expect(answer.headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
    });
    expect(answer.headers["content-security-policy"]).toContain("frame-ancestors 'none'");
  }
});

test("only loopback is listened on", () => {
  expect(server.address()).toMatchObject({ address: "127.0.0.1" });
});

describe("a taken port", () => {
  test("moves on to the next free one and says which was taken", async () => {
    const other = createHttpServer(token, new Promise(() => {}));
    const listening = await listen(other, { port, isExplicit: false });
    expect(listening.ok && listening.value.taken).toBe(port);
    expect(listening.ok && listening.value.port > port).toBe(true);
    other.close();
    await once(other, "close");
  });

  test("is a problem where the user named it", async () => {
    const listening = await listen(createHttpServer(token, new Promise(() => {})), {
      port,
      isExplicit: true,
    });
    expect(listening).toMatchObject({ ok: false, problem: { code: "port-taken" } });
  });
});
