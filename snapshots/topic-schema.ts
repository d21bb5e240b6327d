import { z } from "zod";
import type { TopicChoice } from "./topic-choice.ts";

/** As Kafka has them. */
export const topicName = z
  .string()
  .regex(
    /^(?!\.{1,2}$)[\w.-]{1,249}$/,
    "a topic's name has letters, digits, dot, dash and underscore, 249 at most",
  );

export const topicChoice: z.ZodType<TopicChoice> = z.union(
  [
    topicName,
    z
      .array(topicName)
      .min(1, "name a topic at least")
      .refine((names) => new Set(names).size === names.length, "each topic is named once"),
    z.strictObject({
      pattern: z.string().min(1).refine(isRegularExpression, "it is no regular expression"),
    }),
  ],
  {
    error:
      "the name of a topic (letters, digits, dot, dash and underscore), a list of names, or { pattern: REGULAR EXPRESSION }",
  },
);

function isRegularExpression(pattern: string): boolean {
  try {
    return new RegExp(pattern, "u") instanceof RegExp;
  } catch {
    return false;
  }
}
