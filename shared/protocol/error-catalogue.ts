interface ErrorEntry {
  /** What happened, in general. */
  readonly what: string;
  /** What to do. */
  readonly hint: string;
  readonly exitCode: number;
}

/** Every error that a person can meet. `murmur explain NAME` prints an entry. Add a line here to add one. */
export const ERROR_CATALOGUE = {
  "config-invalid": {
    what: "The configuration does not fit the schema.",
    hint: "Run `murmur config check` to see every problem, `murmur config schema` for what is allowed.",
    exitCode: 3,
  },
  "config-not-found": {
    what: "The configuration file is not there.",
    hint: "Run `murmur init` to write one.",
    exitCode: 3,
  },
  "cohort-impossible": {
    what: "No sharing graph can protect a cohort of this size at these rates.",
    hint: "Change the cohort, `secagg.corrupted` or `secagg.dropout`; try them with `murmur secagg parameters`.",
    exitCode: 3,
  },
  "ring-too-narrow": {
    what: "The sum of the largest possible updates would wrap around in the ring.",
    hint: "Raise `secagg.bits`, or leave it out to have the smallest sufficient width chosen.",
    exitCode: 3,
  },
  "model-exhausted": {
    what: "At active-server a device gives one upload for a model, and abandoned rounds have used up too many of them.",
    hint: "Enrol more devices, or find out why rounds were abandoned (`murmur show RUN`) and start a new run.",
    exitCode: 5,
  },
  "non-finite-update": {
    what: "Training produced NaN or infinity, so the update cannot be quantised.",
    hint: "Lower `train.lr`, or set `train.clip`.",
    exitCode: 5,
  },
  "metric-out-of-range": {
    what: "A metric does not fit the slot that the round declares for it.",
    hint: "Raise the slot's largest value in the task, or let it clamp.",
    exitCode: 5,
  },
  "dataset-invalid": {
    what: "A dataset's file is missing, damaged or not what it should be.",
    hint: "Install the packages again with `npm ci`.",
    exitCode: 4,
  },
  "partition-impossible": {
    what: "The training set has too few examples for this many devices.",
    hint: "Lower `fleet.devices` (or `task.partition.perDevice`), or take a larger dataset.",
    exitCode: 3,
  },
  "disk-full": {
    what: "There is no space left on the disk that holds the run.",
    hint: "Free some space, then go on with --resume: everything up to the last committed round is kept.",
    exitCode: 4,
  },
  "store-locked": {
    what: "The run's database was held by another process for too long.",
    hint: "Close whatever else has run.db open (a database browser, a backup), then go on with --resume.",
    exitCode: 4,
  },
  "store-corrupt": {
    what: "The run's database is damaged, or is not a run's database.",
    hint: "Restore the run's folder from a copy, or start a new run; a damaged run is never continued.",
    exitCode: 4,
  },
  "store-newer": {
    what: "A later version of the program wrote this run.",
    hint: "Use that version, or a later one.",
    exitCode: 4,
  },
  "store-unavailable": {
    what: "The run's folder cannot be read or written.",
    hint: "Check that the folder exists, its permissions and its disk, or choose another with --out.",
    exitCode: 4,
  },
  "run-in-use": {
    what: "Another process holds this run's folder.",
    hint: "Wait for it or stop it; or start a new run without --resume.",
    exitCode: 4,
  },
  "run-not-found": {
    what: "There is no run with this id.",
    hint: "Run `murmur list` to see the runs there are.",
    exitCode: 2,
  },
  "run-exists": {
    what: "The folder already holds a run.",
    hint: "Use --resume to go on with it, or another --out.",
    exitCode: 2,
  },
  "run-failed": {
    what: "The run ended before its rounds were done.",
    hint: "`murmur show RUN` lists why each round was abandoned.",
    exitCode: 5,
  },
  "verification-mismatch": {
    what: "Running it again gave other parameters than the record holds.",
    hint: "Compare the stamp in run.json: another machine, engine build or version gives other floating-point results.",
    exitCode: 6,
  },
  "plaintext-undeclared": {
    what: "Aggregation without masks was asked for, and not declared insecure.",
    hint: "Set `secagg.mode` to masked; or, for an experiment where nobody's data is at stake, `secagg.insecure` to true.",
    exitCode: 3,
  },
  "authority-missing": {
    what: "Protection from an active coordinator needs an enrolment authority that is not the coordinator.",
    hint: "Make one with `murmur authority init FOLDER` and name it in `secagg.authority`, or use the level curious-server.",
    exitCode: 3,
  },
  "file-exists": {
    what: "A file that would be written is already there.",
    hint: "Choose another place, or use --force where the command has it.",
    exitCode: 2,
  },
  environment: {
    what: "Something that the command needs is missing on this machine, or it may not use it.",
    hint: "Run `murmur doctor` to see what.",
    exitCode: 4,
  },
  "engine-unavailable": {
    what: "The training engine is not installed, or does not run on this platform.",
    hint: "Use the engine `onnx`, or `tfjs`, which needs nothing installed.",
    exitCode: 4,
  },
  "model-untraceable": {
    what: "The onnx engine cannot compile the model: it calls a kernel that has no ONNX form here.",
    hint: "Train it with the engine `tfjs`, or leave out the layer that the message names.",
    exitCode: 3,
  },
  "run-damaged": {
    what: "The run's folder does not hold what a run's folder holds.",
    hint: "Compare it with its SHA256SUMS; `murmur rm RUN` deletes it.",
    exitCode: 4,
  },
  "thresholds-failed": {
    what: "The run ended, and missed a threshold of its configuration.",
    hint: "`murmur show RUN` lists them with what was reached.",
    exitCode: 99,
  },
  usage: { what: "The command line is not understood.", hint: "Run `murmur --help`.", exitCode: 2 },
  internal: {
    what: "Something unexpected went wrong; this is a bug.",
    hint: "Report it with the output of `murmur doctor`.",
    exitCode: 1,
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorName = keyof typeof ERROR_CATALOGUE;
