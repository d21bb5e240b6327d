import type { Problem } from "#snapshots/problem.ts";
import type { DeadLetter } from "./dead-letters/dead-letters.ts";
import type { Epoch } from "./order/epochs.ts";
import type { Tally } from "./expectations/expectations.ts";
import type { Counts } from "./order/progress.ts";
import type { Piece } from "./order/stretches.ts";
import type { WorkerReport } from "./workers/workers.ts";

/** What happens in a pipeline, for status, metrics and logs. */
export type PipelineEvent =
  /** Started, paused, stopped, or halted by `problem`. */
  | { kind: "state"; state: WorkerReport["state"]; problem: Problem | undefined }
  /** A partition is being read from `offset`, in `epoch`. */
  | { kind: "assigned"; epoch: Epoch; offset: number }
  | { kind: "revoked"; partitions: readonly { topic: string; partition: number }[] }
  | { kind: "read"; topic: string; partition: number; records: number }
  | { kind: "stage"; stage: "decode" | "transform" | "commit"; ms: number; records: number }
  | { kind: "write"; sink: string; ms: number; operations: number }
  /** A batch is durable in every sink and committed. `oldestMs`, `newestMs`: its records' own times. */
  | {
      kind: "committed";
      piece: Piece;
      counts: Counts;
      deadLetters: readonly DeadLetter[];
      tallies: readonly Tally[];
      oldestMs: number;
      newestMs: number;
    }
  /** A batch of records that came before was written again and is durable in every sink: a backfill, a repair, a replay of dead letters. */
  | {
      kind: "rewritten";
      reason: string;
      piece: Omit<Piece, "claim">;
      counts: Counts;
      deadLetters: readonly DeadLetter[];
    }
  /** Outside of a commit: a record that makes the pipeline halt, minutes of a volume found wanting. */
  | { kind: "judged"; tallies: readonly Tally[] }
  /** A transient problem that is being waited out; undefined when it is over. `where`: `source`, `registry`, `dead letters` or a sink's name. */
  | { kind: "backoff"; where: string; problem: Problem | undefined }
  | { kind: "epoch"; epoch: Epoch };
