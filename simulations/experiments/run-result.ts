import { DROP_REASONS, type DropReason, STAGES, type Stage } from "../../shared/protocol/reasons.ts";
import type { RoundRecord } from "../../shared/protocol/round-record.ts";
import type { AgreedParameters } from "../../shared/secagg/graph-parameters.ts";
import { lostDevices, roundFigures, roundSeconds } from "./round-figures.ts";
import { evaluateThresholds, type ThresholdResult } from "./thresholds.ts";

/** How a run ended: what `murmur run --format json` prints. */
export interface RunResult {
  /** Whether it was done, every sum was exact and every threshold was met. */
  readonly ok: boolean;
  readonly run: string;
  readonly status: "done" | "interrupted" | "failed" | "diverged";
  /** Of the final model on the public test set, 0 to 1; null before the first evaluation. */
  readonly accuracy: number | null;
  /** Mean cross-entropy on the test set, nats. */
  readonly loss: number | null;
  /** Committed. */
  readonly rounds: number;
  readonly secagg: {
    /**
     * Every unmasked sum equalled the plain sum of the survivors' quantised updates, bit for bit; null where nothing was
     * compared, because no process owns all the devices.
     */
    readonly exact: boolean | null;
    /** How much of the cryptography was carried out: only `real` protects anybody. */
    readonly fidelity: "real" | "accounted" | "off";
    /** Whom it protected against; `none` without masks. */
    readonly level: "curious-server" | "active-server" | "none";
    /** Rounds abandoned. */
    readonly abandoned: number;
    /** Of the largest roster that a round can have. */
    readonly graph: AgreedParameters["graph"] | null;
    readonly degree: number | null;
    readonly threshold: number | null;
    /** The strongest coordinator that the graph withstands. */
    readonly claim: AgreedParameters["claim"] | null;
    /** b */
    readonly bits: number;
  };
  /** Mean over invited devices and rounds. */
  readonly bytes: { readonly upPerDevice: number; readonly downPerDevice: number };
  /** Of the fleet's virtual clock, over all rounds; null without one. */
  readonly virtualSeconds: number | null;
  /** Of the host, over all rounds. */
  readonly seconds: Readonly<Record<Stage, number>>;
  readonly drops: Readonly<Record<DropReason, number>>;
  /** SHA-256 of the final parameters, hexadecimal. */
  readonly modelHash: string;
  readonly thresholds: readonly ThresholdResult[];
  readonly folder: string;
}

export interface RunOutline {
  readonly run: string;
  readonly folder: string;
  readonly status: RunResult["status"];
  readonly records: readonly RoundRecord[];
  readonly modelHash: string;
  readonly thresholds: readonly string[];
  readonly masked: boolean;
  readonly fidelity: RunResult["secagg"]["fidelity"];
  readonly level: "curious-server" | "active-server";
  readonly parameters: AgreedParameters | undefined;
  readonly bits: number;
}

export function runResult(outline: RunOutline): RunResult {
  const { records, parameters } = outline;
  const figures = roundFigures(records);
  const drops = { ...zeros(DROP_REASONS), ...figures.drops };
  const seconds = { ...zeros(STAGES), ...figures.secondsPerStage };
  const bytes = { upPerDevice: figures.bytesUpPerDevice, downPerDevice: figures.bytesDownPerDevice };
  const thresholds = evaluateThresholds(outline.thresholds, {
    accuracy: figures.accuracy ?? Number.NaN,
    loss: figures.loss ?? Number.NaN,
    rounds: figures.committed,
    abandoned: figures.abandoned,
    dropped: lostDevices({ drops }),
    seconds: roundSeconds({ seconds }),
    bytesUp: bytes.upPerDevice,
    bytesDown: bytes.downPerDevice,
  });
  return {
    ok: outline.status === "done" && figures.exact !== false && thresholds.every(({ ok }) => ok),
    run: outline.run,
    status: outline.status,
    accuracy: figures.accuracy,
    loss: figures.loss,
    rounds: figures.committed,
    secagg: {
      exact: figures.exact,
      fidelity: outline.fidelity,
      level: outline.masked && outline.fidelity === "real" ? outline.level : "none",
      abandoned: figures.abandoned,
      graph: parameters?.graph ?? null,
      degree: parameters?.degree ?? null,
      threshold: parameters?.threshold ?? null,
      claim: parameters?.claim ?? null,
      bits: outline.bits,
    },
    bytes,
    virtualSeconds: figures.virtual === null ? null : (figures.virtual.until - figures.virtual.from) / 1000,
    seconds,
    drops,
    modelHash: outline.modelHash,
    thresholds,
    folder: outline.folder,
  };
}

function zeros<Key extends string>(keys: readonly Key[]): Record<Key, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<Key, number>;
}
