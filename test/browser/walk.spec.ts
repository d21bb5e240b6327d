import { notebookSteps } from "./steps/notebook.ts";
import { snapshotSteps } from "./steps/snapshots.ts";
import { test } from "./walk.ts";

// One story in one workspace: each step begins where the one before it ended, and none is worth trying after one has failed.
test.describe.configure({ mode: "serial" });

test.describe("Snapshots", snapshotSteps);
test.describe("Notebook", notebookSteps);
