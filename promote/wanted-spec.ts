import { fail, ok, type Result } from "#snapshots/problem.ts";
import { PLAIN_STREAM, type StreamSettings } from "#snapshots/stream-settings.ts";
import { parseSource } from "#snapshots/workspace.ts";
import { readEnvironment } from "./environments.ts";
import { pipelineSpec } from "./pipeline-spec.ts";
import { readRelease } from "./release-files.ts";
import type { PipelineSpec } from "./sync/pipeline-spec.ts";
import type { Workbench } from "./workbench.ts";

/** A pipeline as the last commit asks for it, whether or not it runs, and wherever. */
export async function wantedSpec(
  workbench: Workbench,
  environment: string,
  name: string,
): Promise<Result<PipelineSpec>> {
  const read = await readEnvironment(workbench.git, environment);
  if (!read.ok) return read;
  const pipeline = read.value.pipelines[name];
  if (pipeline === undefined) {
    const known = Object.keys(read.value.pipelines);
    return fail({
      code: "pipeline-unknown",
      message: `The environment ${environment} asks for no pipeline ${name}.`,
      hint:
        known.length > 0
          ? `It asks for ${known.join(", ")}.`
          : `Promote a release there first: penstock promote ${name} --to ${environment}`,
    });
  }
  const release = readRelease(workbench, name, pipeline.release);
  if (!release.ok) return release;
  const stream = await streamOf(workbench, release.value.manifest.input.source);
  return stream.ok ? ok(pipelineSpec(read.value, pipeline, release.value, stream.value)) : stream;
}

/** How a source's topic is written, as the last commit has it. */
export async function streamOf(
  { git }: Pick<Workbench, "git">,
  source: string,
): Promise<Result<StreamSettings>> {
  const text = await git.show("HEAD", `sources/${source}.yaml`);
  if (!text.ok) return text;
  if (text.value === undefined) return ok(PLAIN_STREAM);
  const parsed = parseSource(source, text.value);
  return parsed.ok ? ok(parsed.value.stream ?? PLAIN_STREAM) : parsed;
}
