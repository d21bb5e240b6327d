import { z } from "zod";

/** A `Problem` as the state database keeps it. */
export const problemSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().exactOptional(),
  at: z
    .object({
      file: z.string().exactOptional(),
      cell: z.string().exactOptional(),
      line: z.number().exactOptional(),
      column: z.number().exactOptional(),
      offset: z.number().exactOptional(),
    })
    .exactOptional(),
});
