import { describe, expect, it } from "vitest";
import { MODELS } from "../../../shared/learning/models/index.ts";
import { parameterManifestFor } from "../../../shared/learning/models/model-parameters.ts";
import { refuseStatistics } from "../../../shared/learning/private-models.ts";

describe("a model for differential privacy", () => {
  it.each(["softmax", "2nn", "lstm"])("may be %s, all of whose parameters are trained by gradients", (name) => {
    expect(() => refuseStatistics(name, parameterManifestFor(MODELS.get(name)!))).not.toThrow();
  });

  it("may not keep batch normalisation's averages", () => {
    const manifest = parameterManifestFor(MODELS.get("mobile-cnn")!);
    expect(() => refuseStatistics("mobile-cnn", manifest)).toThrow(
      expect.objectContaining({
        name: "model-has-statistics",
        message: expect.stringContaining("stem_norm/moving_mean"),
        hint: expect.stringContaining("group normalisation"),
      }),
    );
  });
});
