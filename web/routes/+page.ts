import { redirect } from "@sveltejs/kit";

/** Home is the list of notebooks; without one, that list says how to begin. */
export function load(): never {
  redirect(307, "/notebooks");
}
