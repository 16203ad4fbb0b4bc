import { describe, expect, it } from "vitest";
import { foldDevices, foldLabels, type HeldLabels } from "../../../web/charts/held-labels.ts";
import { whoHoldsWhat } from "../../../web/charts/who-holds-what.ts";

/** Device k holds k + 1 examples, all of them of label k mod `labels`. */
function held(devices: number, labels: readonly string[]): HeldLabels {
  return {
    title: 'Who holds what: <"a" & b>',
    subtitle: "devices differ",
    labels,
    fleet: devices,
    skew: "labels",
    devices: Array.from({ length: devices }, (_, device) => ({
      device,
      examples: device + 1,
      counts: labels.map((_, label) => (label === device % labels.length ? device + 1 : 0)),
    })),
  };
}

describe("folding", () => {
  it("keeps a few devices in their order, and puts many in one that shows the skew", () => {
    const many = held(9, ["a", "b", "c"]);
    expect(foldDevices(many, 9).map(({ device }) => device)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(foldDevices(many, 9, 3).map(({ device }) => device)).toEqual([0, 3, 6, 1, 4, 7, 2, 5, 8]);
    expect(foldDevices(many, 3).map(({ device }) => device)).toEqual([3, 4, 5]);
    expect(foldDevices({ ...many, skew: "sizes" }, 3).map(({ device }) => device)).toEqual([7, 4, 1]);
  });

  it("keeps the labels that are frequent", () => {
    expect(foldLabels(held(5, ["a", "b", "c", "d"]), 2)).toEqual([0, 3]);
    expect(foldLabels(held(5, ["a", "b"]), 2)).toEqual([0, 1]);
  });
});

describe("the plot", () => {
  it("has a dot for each label of each of a few devices, its area the number of examples", () => {
    const svg = whoHoldsWhat(held(4, ["a", "b"]));
    const radii = [...svg.matchAll(/<circle [^>]*r="([\d.]+)"[^>]*><title>device (\d): (\d)</g)].map(
      ([, r, device, n]) => ({
        r: Number(r),
        device: Number(device),
        n: Number(n),
      }),
    );
    expect(radii.map(({ device, n }) => [device, n])).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
    expect(radii[3].r / radii[0].r).toBeCloseTo(2, 2);
  });

  it("is a document of bounded size, whatever the fleet and the labels are", () => {
    const labels = Array.from({ length: 80 }, (_, label) => (label === 3 ? "\u0001 <" : `label ${label}`));
    const svg = whoHoldsWhat(held(10_000, labels));
    expect(svg.length).toBeLessThan(120_000);
    expect(svg).toContain("140 of 10,000 devices");
    expect(svg).toContain("40 rarer labels are not shown");
  });

  it("is well-formed, and says what it is to who cannot see it", () => {
    const svg = whoHoldsWhat(held(3, ["<b>", "&", " ", "\n"]));
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+/);
    expect(svg).toContain('<title id="title">Who holds what: &lt;&quot;a&quot; &amp; b&gt;</title>');
    expect(svg).toContain('<desc id="description">devices differ</desc>');
    expect(svg).toContain(">&lt;b&gt;<");
    expect(svg).toContain(">newline<");
    expect(svg.replaceAll(/&(amp|lt|gt|quot);/g, "")).not.toContain("&");
  });
});
