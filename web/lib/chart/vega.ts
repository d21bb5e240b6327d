import { parse, View } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";

/** A chart reads the rows it was given, never the network. */
const noLoader = {
  load: () => Promise.reject(new Error("A chart may not load data. Pass its rows instead.")),
  sanitize: () => Promise.reject(new Error("A chart may not load data. Pass its rows instead.")),
  http: () => Promise.reject(new Error("A chart may not load data.")),
  file: () => Promise.reject(new Error("A chart may not load data.")),
};

export type Drawing = { close(): void; resize(width: number): void };

/**
 * Draws a Vega-Lite specification as SVG. Expressions are interpreted from their syntax tree, so that the page's policy needs
 * no `unsafe-eval`. Throws an `Error` with Vega's reason when the specification is wrong.
 */
export async function draw(
  element: HTMLElement,
  spec: unknown,
  rows: readonly unknown[],
  config: object,
  width: number,
): Promise<Drawing> {
  const given = spec as Record<string, unknown>;
  const whole = {
    width: "container",
    height: 180,
    autosize: { type: "fit-x", contains: "padding" },
    background: "transparent",
    ...given,
    ...(given["data"] === undefined || isEmptyData(given["data"])
      ? { data: { values: [...rows] } }
      : {}),
  };
  const { spec: compiled } = compile(whole as TopLevelSpec, { config, logger: quietLogger() });
  const view = new View(parse(compiled, undefined, { ast: true }), {
    expr: expressionInterpreter,
    renderer: "svg",
    container: element,
    hover: true,
    loader: noLoader,
  });
  view.width(width);
  await view.runAsync();
  return {
    close: () => {
      view.finalize();
    },
    resize: (wide) => {
      void view.width(wide).runAsync();
    },
  };
}

function isEmptyData(data: unknown): boolean {
  return data !== null && typeof data === "object" && !("values" in data) && !("sequence" in data);
}

function quietLogger() {
  const logger = {
    level: () => logger,
    error: () => logger,
    warn: () => logger,
    info: () => logger,
    debug: () => logger,
  };
  return logger as never;
}
