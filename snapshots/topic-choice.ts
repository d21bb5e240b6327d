/** Which topics a pipeline reads: one, several, or all whose whole name fits a pattern. */
export type TopicChoice = string | readonly string[] | { pattern: string };

/** Names as they are, or what matches them. */
export function topicMatch(choice: TopicChoice): readonly string[] | RegExp {
  if (typeof choice === "string") return [choice];
  return "pattern" in choice ? wholeName(choice.pattern) : choice;
}

export function isAmongTopics(choice: TopicChoice): (topic: string) => boolean {
  const match = topicMatch(choice);
  return match instanceof RegExp ? (topic) => match.test(topic) : (topic) => match.includes(topic);
}

/** As a sentence names them: "topic flights", "topics flights-eu, flights-us", "topics like flights-[a-z]+". */
export function topicText(choice: TopicChoice): string {
  if (typeof choice === "string") return `topic ${choice}`;
  return "pattern" in choice ? `topics like ${choice.pattern}` : `topics ${choice.join(", ")}`;
}

/** Kafka's own topics, which begin with two underscores, fit no pattern. */
function wholeName(pattern: string): RegExp {
  return new RegExp(`^(?!__)(?:${pattern})$`, "u");
}
