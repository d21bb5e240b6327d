import { compareSteps } from "./steps/compare.ts";
import { pipelineSteps } from "./steps/pipelines.ts";
import { promoteSteps } from "./steps/promote.ts";
import { test } from "./walk.ts";

// The way from a change to production: each step begins where the one before it ended.
test.describe.configure({ mode: "serial" });

test.describe("Compare", compareSteps);
test.describe("Promote", promoteSteps);
test.describe("Pipelines", pipelineSteps);
