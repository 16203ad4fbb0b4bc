import { describe, expect, it } from "vitest";
import { confirmationQuorum } from "../../../shared/secagg/confirmation-quorum.ts";
import { secaggParameters } from "../../../shared/secagg/graph-parameters.ts";
import { findPartialSum, twoViewsCanBeAccepted } from "./accepted-view.ts";
import { named, placementProofInstances } from "./split-view-instances.ts";

/** SPLIT_VIEWS=long searches up to n = 14 instead of 11, which takes minutes. */
const LONG = process.env.SPLIT_VIEWS === "long";

describe("the quorum of confirmations", () => {
  it("lets one view be accepted, whatever the coordinator shows to whom", () => {
    for (let size = 3; size <= 300; size++) {
      for (let corrupted = 0; corrupted < size; corrupted++) {
        const quorum = confirmationQuorum(size, corrupted);
        expect(twoViewsCanBeAccepted(size, corrupted, quorum)).toBe(false);
        // One fewer would not do, except where n + A is odd and the halves do not fit.
        if ((size + corrupted) % 2 === 0) expect(twoViewsCanBeAccepted(size, corrupted, quorum - 1)).toBe(true);
      }
    }
  });

  it("is the threshold of the complete graph", () => {
    for (let cohort = 3; cohort <= 64; cohort++) {
      const parameters = secaggParameters({ cohort, corrupted: 0, dropout: 0 });
      if (!parameters.ok) throw new Error(parameters.reason);
      expect(confirmationQuorum(cohort, parameters.corruptedTolerated)).toBe(parameters.threshold);
    }
  });
});

describe("an active coordinator, once there is one accepted view", () => {
  it.each(named(placementProofInstances(7, LONG ? 14 : 11)))("opens every honest survivor or none: %s", (_, ring) => {
    const { partial, cases } = findPartialSum(ring, ring.corrupted);
    expect(partial).toBeNull();
    expect(cases).toBeGreaterThan(0);
  });

  it.each(named(placementProofInstances(7, 10).filter(({ size, degree }) => degree < size - 1)))(
    "would open a part with a threshold one lower: %s",
    (_, ring) => {
      expect(findPartialSum({ ...ring, threshold: ring.threshold - 1 }, ring.corrupted).partial).not.toBeNull();
    },
  );
});
