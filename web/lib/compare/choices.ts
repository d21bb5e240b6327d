import { ago } from "../format.ts";

export type ChoiceGroup = { label: string; choices: { value: string; text: string }[] };

/** What a side may be: the working copy, Git's commits of the notebook, what each environment runs, and releases. */
export function sideChoices(request: {
  environments: string[];
  releases: { hash: string; builtAt?: string | undefined }[];
}): ChoiceGroup[] {
  const groups: ChoiceGroup[] = [
    { label: "Here", choices: [{ value: "working", text: "working copy" }] },
    {
      label: "Git",
      choices: [
        { value: "git:HEAD", text: "Git’s last commit" },
        { value: "git:HEAD~1", text: "the commit before" },
        { value: "ask", text: "another commit…" },
      ],
    },
    {
      label: "Runs now",
      choices: request.environments.map((name) => ({
        value: `environment:${name}`,
        text: `what ${name} runs`,
      })),
    },
    {
      label: "Releases",
      choices: request.releases.slice(0, 20).map(({ hash, builtAt }) => ({
        value: `release:${hash}`,
        text: [`release ${hash.slice(0, 6)}`, builtAt && `built ${ago(builtAt)}`]
          .filter(Boolean)
          .join(", "),
      })),
    },
  ];
  return groups.filter(({ choices }) => choices.length > 0);
}
