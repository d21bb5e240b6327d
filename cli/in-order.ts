/** As the Pipelines page has them: by the environments on a release's way; what none of them asks for any more comes last. */
export function inOrder<Pipeline extends { environment: string }>(
  environments: readonly { name: string }[],
  pipelines: readonly Pipeline[],
): Pipeline[] {
  const names = environments.map(({ name }) => name);
  const place = ({ environment }: Pipeline) =>
    names.includes(environment) ? names.indexOf(environment) : names.length;
  return pipelines.toSorted((a, b) => place(a) - place(b));
}
