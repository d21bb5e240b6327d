import type { IconName } from "./icons.ts";

/** The pages of the workbench, in the order of a transform's way; `g` and a letter goes there. */
export const pages: { href: string; title: string; icon: IconName; key: string }[] = [
  { href: "/notebooks", title: "Notebooks", icon: "notebook", key: "n" },
  { href: "/snapshots", title: "Snapshots", icon: "snapshot", key: "s" },
  { href: "/compare", title: "Compare", icon: "compare", key: "c" },
  { href: "/releases", title: "Releases", icon: "release", key: "r" },
  { href: "/pipelines", title: "Pipelines", icon: "pipeline", key: "p" },
];
