import { ProblemError } from "#snapshots/problem.ts";
import { read, type Client } from "./connect.ts";
import { notebookName } from "./run.ts";

/** Which transform in which notebook `text` means: a transform's name, or a notebook's that defines just one. */
export async function pickTransform(
  api: Client["api"],
  text: string,
): Promise<{ notebook: string; transform: string }> {
  const { notebooks } = await read(api.notebooks.$get());
  const asNotebook = notebookName(text);
  const defining = notebooks.filter(({ transforms }) => transforms.includes(asNotebook));
  const chosen = defining.find(({ name }) => name === asNotebook) ?? defining[0];
  if (chosen && (defining.length === 1 || chosen.name === asNotebook)) {
    return { notebook: chosen.name, transform: asNotebook };
  }
  const notebook = notebooks.find(({ name }) => name === asNotebook);
  const [only] = notebook?.transforms ?? [];
  if (notebook && only !== undefined && notebook.transforms.length === 1) {
    return { notebook: notebook.name, transform: only };
  }
  throw new ProblemError(
    unclear(
      text,
      defining.map(({ name }) => name),
      notebook?.transforms ?? notebooks.flatMap(({ transforms }) => transforms),
      notebook !== undefined,
    ),
  );
}

function unclear(text: string, defining: string[], transforms: string[], isNotebook: boolean) {
  if (defining.length > 1) {
    return {
      code: "transform-ambiguous",
      message: `${defining.length} notebooks define a transform ${text}: ${defining.join(", ")}.`,
      hint: "Rename one of them: a release is named after its transform.",
    };
  }
  const known = [...new Set(transforms)];
  if (isNotebook) {
    return known.length === 0
      ? {
          code: "transform-unknown",
          message: `Notebook ${text} defines no transform.`,
          hint: "Write one: export const NAME = transform(table, (row) => …).",
        }
      : {
          code: "transform-ambiguous",
          message: `Notebook ${text} defines ${known.length} transforms.`,
          hint: `Name one of them: ${known.join(", ")}.`,
        };
  }
  return {
    code: "transform-unknown",
    message: `No notebook of this workspace, and no transform in one, is named ${text}.`,
    hint:
      known.length > 0
        ? `There are: ${known.join(", ")}.`
        : "Write one in a notebook: export const NAME = transform(table, (row) => …).",
  };
}
