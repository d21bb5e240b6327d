import type { HandleServerError } from "@sveltejs/kit/hooks";

/** A page that fails says so in a sentence; the stack is for the server's terminal. */
export const handleError: HandleServerError = ({ kind, error }) => {
  if (kind !== "unknown") return {};
  console.error(error);
  return { message: "The server could not make this page; its terminal says why." };
};
