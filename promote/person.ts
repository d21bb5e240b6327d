import { userInfo } from "node:os";
import type { RunGit } from "./git-process.ts";

/** Who did something, as Git would name them. */
export type Person = { name: string; email: string };

/** Git's user where one is configured, else the person logged in: a commit never fails for want of a name. */
export async function readPerson(run: RunGit): Promise<Person> {
  const configured = async (key: string) => {
    const output = await run(["config", "--get", key]);
    return output.status === 0 ? output.stdout.toString("utf8").trim() : "";
  };
  const login = loginName();
  const name = process.env.GIT_AUTHOR_NAME || (await configured("user.name")) || login;
  const email =
    process.env.GIT_AUTHOR_EMAIL || (await configured("user.email")) || `${login}@localhost`;
  return { name: clean(name), email: clean(email) };
}

/** A file name for a person: `Ada Lovelace` becomes `ada-lovelace`. */
export function personFileName(name: string): string {
  const plain = name
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}]+/gu, "-")
    .replaceAll(/^-+|-+$/g, "");
  return plain || "somebody";
}

function loginName(): string {
  try {
    return userInfo().username || "penstock";
  } catch {
    // A container may run as a user id that no account belongs to.
    return "penstock";
  }
}

/** Git's commit header is one line and gives `<` and `>` a meaning. */
function clean(text: string): string {
  return text.replaceAll(/[\p{Cc}<>]/gu, "").trim() || "somebody";
}
