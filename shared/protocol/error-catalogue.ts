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
  "non-finite-update": {
    what: "Training produced NaN or infinity, so the update cannot be quantised.",
    hint: "Lower `train.lr`, or set `train.clip`.",
    exitCode: 5,
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
  usage: { what: "The command line is not understood.", hint: "Run `murmur --help`.", exitCode: 2 },
  internal: {
    what: "Something unexpected went wrong; this is a bug.",
    hint: "Report it with the output of `murmur doctor`.",
    exitCode: 1,
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorName = keyof typeof ERROR_CATALOGUE;
