import type { HandleServerError } from "@sveltejs/kit";

/** A page that fails says so in a sentence; the stack is for the server's terminal. */
export const handleError: HandleServerError = ({ error, status, message }) => {
  if (status === 404) return { message };
  console.error(error);
  return { message: "The server could not make this page; its terminal says why." };
};
