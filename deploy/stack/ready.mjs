// Whether a server answers: one real call in its own protocol, with nothing but Node.
import { get } from "node:http";
import { get as getSecurely } from "node:https";
import { connect } from "node:net";

const timeoutMs = 2500;

/**
 * Each takes an address and resolves to the version the server gives, or undefined where its protocol does not tell.
 * They reject with the reason while it is not ready.
 */
export const readiness = { kafka, cassandra, elasticsearch, registry, prometheus };

/** Metadata request, version 4, for no topic: the answer must name a broker. https://kafka.apache.org/protocol */
function kafka(address) {
  const client = Buffer.from("ready");
  const body = Buffer.alloc(10 + client.length + 5);
  body.writeInt16BE(3, 0);
  body.writeInt16BE(4, 2);
  body.writeInt32BE(7, 4);
  body.writeInt16BE(client.length, 8);
  client.copy(body, 10);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return talk(address, Buffer.concat([length, body]), (received) => {
    if (received.length < 16 || received.length < 4 + received.readInt32BE(0)) return undefined;
    if (received.readInt32BE(12) < 1) throw new Error("no broker yet");
    return { answer: undefined };
  });
}

/** STARTUP, then a query on system.local, in version 4 of the native protocol. */
function cassandra(address) {
  const frame = (opcode, body) => {
    const header = Buffer.from([4, 0, 0, 1, opcode, 0, 0, 0, 0]);
    header.writeInt32BE(body.length, 5);
    return Buffer.concat([header, body]);
  };
  const string = (text) => Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)]);
  const startup = frame(
    1,
    Buffer.concat([Buffer.from([0, 1]), string("CQL_VERSION"), string("3.0.0")]),
  );
  const query = "SELECT release_version FROM system.local";
  const ask = frame(
    7,
    Buffer.concat([
      Buffer.from([0, 0, 0, query.length]),
      Buffer.from(query),
      Buffer.from([0, 1, 0]),
    ]),
  );
  const opcode = { ready: 2, result: 8 };
  return talk(address, startup, (received) => {
    if (received.length < 9 || received.length < 9 + received.readInt32BE(5)) return undefined;
    if (received[4] === opcode.ready) return { send: ask };
    if (received[4] !== opcode.result) throw new Error(`it answered with opcode ${received[4]}`);
    return { answer: /\d+\.\d+[\w.-]*$/.exec(received.toString("latin1"))?.[0] };
  });
}

async function elasticsearch(address) {
  const health = await json(`http://${address}/_cluster/health?wait_for_status=yellow&timeout=1s`);
  if (health.timed_out !== false) throw new Error(`its cluster is ${health.status}`);
  const nodes = await json(`http://${address}/_nodes/_all/version?filter_path=nodes.*.version`);
  return Object.values(nodes.nodes ?? {})[0]?.version;
}

async function registry(address) {
  const url = registryUrl(address);
  if (!Array.isArray(await json(`${url}/subjects`))) throw new Error("no list of subjects");
  const system = await json(new URL("/apis/registry/v3/system/info", url)).catch(() => ({}));
  return system.version;
}

async function prometheus(address) {
  await text(`http://${address}/-/ready`);
  const build = await json(`http://${address}/api/v1/status/buildinfo`);
  return build.data?.version;
}

/** A registry's address as a URL: `host:port`, with or without a path, with or without `http://`. */
export function registryUrl(address) {
  const url = /^https?:\/\//.test(address) ? address : `http://${address}`;
  return url.replace(/\/+$/, "");
}

/** Sends `first`; `onData` sees all bytes since the last send and gives `{ send }`, `{ answer }`, or undefined for "more". */
function talk(address, first, onData) {
  const [, host, port] = /^(.*):(\d+)$/.exec(address) ?? [];
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect(Number(port), host, () => socket.write(first));
    const end = (settle, value) => {
      socket.destroy();
      settle(value);
    };
    socket.setTimeout(timeoutMs, () => end(reject, new Error("no answer in time")));
    socket.on("error", (error) => end(reject, error));
    socket.on("close", () => reject(new Error("it closed the connection")));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      try {
        const next = onData(received);
        if (!next) return;
        if (!next.send) return end(resolve, next.answer);
        received = Buffer.alloc(0);
        socket.write(next.send);
      } catch (error) {
        end(reject, error);
      }
    });
  });
}

async function json(url) {
  return JSON.parse(await text(url));
}

function text(url) {
  return new Promise((resolve, reject) => {
    const ask = String(url).startsWith("https:") ? getSecurely : get;
    const request = ask(url, { timeout: timeoutMs }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (body += chunk));
      response.on("end", () =>
        response.statusCode === 200
          ? resolve(body)
          : reject(new Error(`status ${response.statusCode}`)),
      );
    });
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", reject);
  });
}
