import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { openOutbox } from "./outbox.ts";

test("a page that does not read gets no pile of events, and is made whole when it reads again", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const page = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [socket] = (await once(server, "connection")) as [WebSocket];
  await once(page, "open");
  const whole = Promise.withResolvers<void>();
  page.on("message", (data) => {
    if ((data as Buffer).toString() === "everything") whole.resolve();
  });
  page.pause();

  const outbox = openOutbox<string>(socket, {
    encode: (text) => text,
    catchUp: () => outbox.send("everything"),
  });
  const event = "x".repeat(1024 * 1024);
  let most = 0;
  const sent = Array.from({ length: 100 }, () => {
    const isSent = outbox.send(event);
    most = Math.max(most, socket.bufferedAmount);
    return isSent;
  });
  expect(sent.filter(Boolean).length).toBeLessThan(20);
  expect(most).toBeLessThan(8 * 1024 * 1024);

  page.resume();
  await whole.promise;
  page.terminate();
  server.close();
});
