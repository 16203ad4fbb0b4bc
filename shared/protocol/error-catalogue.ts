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
    hint: "Correct or replace the file that the message names.",
    exitCode: 4,
  },
  "module-invalid": {
    what: "A module of your own, named by its path, cannot be loaded or does not hold what it should.",
    hint: "docs/your-own.md says what a model, a dataset and an algorithm export.",
    exitCode: 3,
  },
  "input-changed": {
    what: "A file that the run was started with, its data or a module of your own, is not what it was.",
    hint: "Put the file back as it was, or start a new run.",
    exitCode: 3,
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
  "privacy-budget-spent": {
    what: "The next round would spend more than the run may: its model would tell more of a device than was promised.",
    hint: "Go on with the model there is, or start a new run with fewer rounds, more noise or a larger `privacy.epsilon`.",
    exitCode: 7,
  },
  "bench-failed": {
    what: "No cell of a benchmark came to an end.",
    hint: "Run one of its cells with `murmur run` and the benchmark's `base` section to see more of what is wrong.",
    exitCode: 5,
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
  "not-repeatable": {
    what: "The run's chance came from the operating system, so that nobody can play it again: that is what protects it.",
    hint: "Verify a run whose `privacy.randomness` is seeded.",
    exitCode: 5,
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
  "model-unknown": {
    what: "No model has this name.",
    hint: "Choose one of the names that the message lists.",
    exitCode: 3,
  },
  "model-data-mismatch": {
    what: "The model cannot learn from this dataset: their examples differ in shape or in what a label is.",
    hint: "Choose another model or dataset; `logistic` and `linear` take the width of a table from its columns.",
    exitCode: 3,
  },
  "model-untrainable": {
    what: "tfjs cannot train the model on its backend: an operation, or its gradient, is missing there.",
    hint: "Leave out the layer that the message names, or train with another engine.",
    exitCode: 3,
  },
  "model-has-statistics": {
    what: "The model keeps statistics of the examples among its parameters, and the run is to be differentially private.",
    hint: "Use layer or group normalisation in place of batch normalisation.",
    exitCode: 3,
  },
  "model-unseeded": {
    what: "A layer of the model draws random numbers that the run's seed does not decide, so no run could be repeated.",
    hint: "Use Dropout, SpatialDropout1D, GaussianDropout or GaussianNoise in its place.",
    exitCode: 3,
  },
  "model-untraceable": {
    what: "The onnx engine cannot compile the model: it calls a kernel that has no ONNX form here.",
    hint: "Set `train.fallback` to tfjs (or join with `--engine tfjs`), or leave out the layer that the message names.",
    exitCode: 3,
  },
  "run-damaged": {
    what: "The run's folder does not hold what a run's folder holds.",
    hint: "Compare it with its SHA256SUMS; `murmur rm RUN` deletes it.",
    exitCode: 4,
  },
  "address-in-use": {
    what: "Another program listens on the address that the coordinator wants.",
    hint: "Choose another with --port, or stop what listens there; --port 0 takes a free one.",
    exitCode: 4,
  },
  "address-unavailable": {
    what: "The address is not one of this machine's, or may not be listened on.",
    hint: "Use --host with an address of this machine (`murmur doctor` lists them) and a port from 1024.",
    exitCode: 4,
  },
  "tls-invalid": {
    what: "The certificate or key for TLS cannot be read, or they do not belong together.",
    hint: "Give PEM files with --tls-cert and --tls-key, the certificate with its chain.",
    exitCode: 3,
  },
  "coordinator-unreachable": {
    what: "Nothing answers as a coordinator at the address.",
    hint: "Check the address and that `murmur serve` runs there; `curl ADDRESS/healthz` should answer.",
    exitCode: 4,
  },
  "not-serving": {
    what: "No coordinator on this machine serves the run that was named, or any run of the folder.",
    hint: "`murmur serve` starts one; name another folder of runs with --out, a coordinator elsewhere with --url.",
    exitCode: 4,
  },
  "protocol-version": {
    what: "The device and the coordinator speak different versions of the protocol.",
    hint: "Bring the older side, which the message names, to the version of the other.",
    exitCode: 4,
  },
  "token-missing": {
    what: "The coordinator enrols only devices that show a join token, and none was given.",
    hint: "Use the address that `murmur serve` printed, with its #token; or give --token.",
    exitCode: 4,
  },
  "token-invalid": {
    what: "The coordinator does not know the token, or it was revoked, or it is for something else.",
    hint: "Ask the operator for a new one (`murmur token create`).",
    exitCode: 4,
  },
  "token-expired": {
    what: "The join token is past its expiry.",
    hint: "Ask the operator for a new one (`murmur token create --expires 1h`).",
    exitCode: 4,
  },
  "token-used-up": {
    what: "The join token has enrolled as many devices as it was made for.",
    hint: "Ask the operator for a new one (`murmur token create --count N`).",
    exitCode: 4,
  },
  "device-revoked": {
    what: "The operator revoked the device's key: it is not let in any more.",
    hint: "If the device should take part, give it another --data folder, and so another key, and a new join token.",
    exitCode: 4,
  },
  "device-uncertified": {
    what: "At active-server a device needs a certificate of the enrolment authority, and this one has none that holds.",
    hint: "Have its key certified (`murmur device keys`, `murmur authority certify`) and give --certificates.",
    exitCode: 4,
  },
  "device-duplicate": {
    what: "Another connection proved that it has the same device's key.",
    hint: "Run a device in one place only; a copied --data folder is one device, not two.",
    exitCode: 4,
  },
  "device-refused": {
    what: "The coordinator does not let the device in.",
    hint: "The message says why; the operator sees it in the coordinator's log.",
    exitCode: 4,
  },
  "device-data-in-use": {
    what: "Another process runs the devices of this folder.",
    hint: "Stop it, or give this one another --data folder.",
    exitCode: 4,
  },
  "device-data-damaged": {
    what: "A device's folder holds something else than its keys and its uploads.",
    hint: "Restore it from a copy, or start new devices with another --data folder. A damaged memory is never guessed.",
    exitCode: 4,
  },
  "request-invalid": {
    what: "The request is not what the interface describes.",
    hint: "GET /v1/openapi.json describes it.",
    exitCode: 2,
  },
  "request-too-large": {
    what: "The request is larger than the interface takes.",
    hint: "Send less at once.",
    exitCode: 2,
  },
  "no-such-thing": {
    what: "There is nothing under this address.",
    hint: "GET /v1/openapi.json lists what there is.",
    exitCode: 2,
  },
  "operator-only": {
    what: "Only the operator may do that, and no operator token was shown, or not this coordinator's.",
    hint: "Send `Authorization: Bearer TOKEN`; the operator's token is in serve.json in the run's folder.",
    exitCode: 4,
  },
  "origin-refused": {
    what: "The request came from a page, or under a name, that is not the coordinator's own.",
    hint: "Use an address that `murmur serve` printed, or add the name to `serve.names`.",
    exitCode: 4,
  },
  "coordinator-busy": {
    what: "The coordinator serves as many at once as it may, or it stops.",
    hint: "Try again later; the operator can raise `serve.connections`.",
    exitCode: 4,
  },
  "rate-limited": {
    what: "The address asked more often than the coordinator answers.",
    hint: "Come back when Retry-After says; the operator can raise `serve.rateLimit`.",
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
