/** What a metric is called, means and is told apart by. docs/operations.md shows the same table; a test compares them. */
export type Definition = {
  name: string;
  help: string;
  labels: readonly string[];
  buckets?: readonly number[];
};

const pipeline = ["environment", "pipeline"] as const;
const partition = [...pipeline, "topic", "partition"] as const;

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const RECORDS = [1, 4, 16, 64, 256, 1024, 4096, 16_384];

export const counters = {
  polled: {
    name: "penstock_records_polled_total",
    help: "Records taken from the topic, those delivered again included.",
    labels: partition,
  },
  read: {
    name: "penstock_records_read_total",
    help: "Records whose batch was committed: the sum of written, filtered, stale and dead-lettered.",
    labels: partition,
  },
  written: {
    name: "penstock_records_written_total",
    help: "Records that every sink has.",
    labels: pipeline,
  },
  filtered: {
    name: "penstock_records_filtered_total",
    help: "Records of which the transform made no row.",
    labels: pipeline,
  },
  stale: {
    name: "penstock_records_stale_total",
    help: "Records older than what the sinks hold.",
    labels: pipeline,
  },
  deadLettered: {
    name: "penstock_records_dead_lettered_total",
    help: "Records that could not pass, by the stage that refused them (decode, validate, transform, sink:NAME).",
    labels: [...pipeline, "stage"],
  },
  retracted: {
    name: "penstock_records_retracted_total",
    help: "Living rows that a tombstone or correction took away.",
    labels: pipeline,
  },
  commits: {
    name: "penstock_commits_total",
    help: "Batches committed.",
    labels: partition,
  },
  operations: {
    name: "penstock_sink_operations_total",
    help: "Operations sent to a sink, those sent again included.",
    labels: [...pipeline, "sink"],
  },
  retries: {
    name: "penstock_retries_total",
    help: "Waits for something transient, by where it is (source, registry, dead letters or a sink's name) and the problem's code.",
    labels: [...pipeline, "where", "code"],
  },
  expectationChecks: {
    name: "penstock_expectation_checks_total",
    help: "Rows that an expectation of the source was held against; of a volume, records.",
    labels: [...pipeline, "expectation"],
  },
  expectationFailures: {
    name: "penstock_expectation_failures_total",
    help: "Those that did not meet it, whatever its severity; of a volume, minutes.",
    labels: [...pipeline, "expectation"],
  },
  rewritten: {
    name: "penstock_records_rewritten_total",
    help: "Records that came before and were handled again, by reason (dead letters replayed, repair, backfill) and by what became of them: written, filtered, stale, dead-lettered. Not among those read.",
    labels: [...pipeline, "reason", "outcome"],
  },
  guestRestarts: {
    name: "penstock_guest_restarts_total",
    help: "Guests that hung, died or sent garbage, and were replaced.",
    labels: pipeline,
  },
} satisfies Record<string, Definition>;

export const histograms = {
  batchRecords: {
    name: "penstock_batch_records",
    help: "Records in a committed batch.",
    labels: pipeline,
    buckets: RECORDS,
  },
  writeOperations: {
    name: "penstock_sink_write_operations",
    help: "Operations in one write to a sink.",
    labels: [...pipeline, "sink"],
    buckets: RECORDS,
  },
  stageSeconds: {
    name: "penstock_stage_seconds",
    help: "How long a stage took with one batch: decode, transform, write (by sink, each try), commit.",
    labels: [...pipeline, "stage", "sink"],
    buckets: SECONDS,
  },
} satisfies Record<string, Definition>;

/** Counted for every record, in one pass over its batch (record-histogram.ts). */
export const endToEnd = {
  name: "penstock_end_to_end_seconds",
  help: "From a record's own time to the commit of its batch; every record counts.",
  labels: pipeline,
  buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400],
} satisfies Definition;

/** As they are when somebody asks. */
export const gauges = {
  state: {
    name: "penstock_pipeline_state",
    help: "1 for the state the pipeline is in, 0 for the others.",
    labels: [...pipeline, "state"],
  },
  release: {
    name: "penstock_release_info",
    help: "1 for the release that runs.",
    labels: [...pipeline, "release"],
  },
  backingOff: {
    name: "penstock_backing_off",
    help: "1 for each place that is being waited for: source, registry, dead letters or a sink's name.",
    labels: [...pipeline, "where"],
  },
  lag: {
    name: "penstock_lag_records",
    help: "Offsets between the next one to handle and the topic's end.",
    labels: partition,
  },
  offset: {
    name: "penstock_next_offset",
    help: "The next offset to handle.",
    labels: partition,
  },
  end: {
    name: "penstock_end_offset",
    help: "The topic's end, as of the last second.",
    labels: partition,
  },
  epoch: {
    name: "penstock_epoch",
    help: "The newest epoch that is being read.",
    labels: partition,
  },
  sinkRows: {
    name: "penstock_sink_rows",
    help: "Living rows in a sink; may be an estimate.",
    labels: [...pipeline, "sink"],
  },
  readersBehind: {
    name: "penstock_readers_behind",
    help: "1 for a sink whose readers see another index than the one that is written, 0 for the others.",
    labels: [...pipeline, "sink"],
  },
  refused: {
    name: "penstock_pipeline_refused",
    help: "1 for a release that the last commit asks for and that may not run; what ran before goes on.",
    labels: [...pipeline, "release"],
  },
} satisfies Record<string, Definition>;

export const definitions: readonly Definition[] = [
  ...Object.values(counters),
  ...Object.values(histograms),
  endToEnd,
  ...Object.values(gauges),
];
