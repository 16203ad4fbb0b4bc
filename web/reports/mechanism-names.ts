import type { ReportMechanism } from "./privacy-report-data.ts";

/** Who makes the noise, as charts and tables call it. */
export const MECHANISM_NAMES: Readonly<Record<ReportMechanism, string>> = {
  central: "central",
  "distributed-gaussian": "distributed",
  "distributed-skellam": "Skellam",
  local: "local",
  toeplitz: "correlated",
  banded: "banded",
};

/** What each asks to be believed. */
export const MECHANISM_TRUST: Readonly<Record<ReportMechanism, string>> = {
  central: "The coordinator sees the exact sum and adds the noise; it has to be trusted to do so.",
  "distributed-gaussian":
    "Every device adds a share of the noise under its mask (discrete Gaussian); the coordinator only ever sees the noised sum.",
  "distributed-skellam":
    "Every device adds a share of the noise under its mask (Skellam); the coordinator only ever sees the noised sum.",
  local: "Every device adds enough noise for itself alone and trusts nobody; the sum is mostly noise.",
  toeplitz: "The coordinator adds noise that partly cancels over rounds; no sampling has to be believed.",
  banded: "The coordinator adds noise that partly cancels over rounds; no sampling has to be believed.",
};
