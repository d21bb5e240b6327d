import { isMap, isScalar, parseDocument, type Document } from "yaml";
import type { DesiredPipeline, Servers } from "./environment-schema.ts";

/** Moves an environment to servers; pipelines, approvals and comments stay as they are. */
export function withServers(text: string, servers: Servers): string {
  const document = parseDocument(text);
  document.set("kind", "servers");
  const { kafka, cassandra, elasticsearch, registry } = servers;
  for (const [key, value] of Object.entries({ kafka, cassandra, elasticsearch, registry })) {
    if (value === undefined) document.delete(key);
    else document.set(key, document.createNode(value));
  }
  putLast(document, "pipelines");
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** The part that grows stands at the end. */
function putLast(document: Document, key: string): void {
  const { contents } = document;
  if (!isMap(contents)) return;
  const at = contents.items.findIndex((pair) => isScalar(pair.key) && pair.key.value === key);
  contents.items.push(...(at < 0 ? [] : contents.items.splice(at, 1)));
}

/** Brings an environment back to files in the workspace. */
export function withoutServers(text: string): string {
  const document = parseDocument(text);
  document.set("kind", "embedded");
  for (const key of ["workers", "kafka", "cassandra", "elasticsearch", "registry"])
    document.delete(key);
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** Sets what one pipeline runs; comments and everything else in the file stay as they are. */
export function withPipeline(text: string, name: string, pipeline: DesiredPipeline): string {
  const document = parseDocument(text);
  if (!isMap(document.get("pipelines"))) document.set("pipelines", document.createNode({}));
  const pipelines = document.get("pipelines");
  if (isMap(pipelines)) pipelines.flow = false;
  const before = document.getIn(["pipelines", name]);
  if (!isMap(before)) {
    document.setIn(["pipelines", name], document.createNode(pipeline));
  } else {
    for (const [key, value] of Object.entries(pipeline)) {
      const node = before.get(key, true);
      // Set in place, so that a comment beside the value stays.
      if (isScalar(node) && typeof value === "string") node.value = value;
      else if (JSON.stringify(node) !== JSON.stringify(value))
        before.set(key, document.createNode(value));
    }
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** Takes a pipeline out: it shall not run here any more. */
export function withoutPipeline(text: string, name: string): string {
  const document = parseDocument(text);
  document.deleteIn(["pipelines", name]);
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
