import { describe, expect, it } from "vitest";
import type { AttackResult } from "../../../shared/attacks/attack-result.ts";
import { attackFigures, renderAttackHtml } from "../../../web/reports/attack-report.tsx";
import { pngDataUri } from "../../../web/reports/png.ts";
import { clipped, overlaps, textBoxes } from "../charts/svg-texts.ts";

const ORIGINAL = Float32Array.of(0, 0.5, 1, 0.25);
const RECOVERED = Float32Array.of(0.1, 0.5, 0.9, 0.25);

const RESULT: AttackResult = {
  attack: "invert",
  target: "the initial <2nn> on mnist",
  finding: "One update gives the picture back.",
  heads: ["what the coordinator sees", "pictures"],
  rows: [["one device", "100 %"]],
  pictures: [
    { name: "one device", width: 2, height: 2, original: ORIGINAL, recovered: RECOVERED, psnr: 25.51 },
    { name: "", width: 2, height: 2, original: ORIGINAL, recovered: ORIGINAL, psnr: Number.POSITIVE_INFINITY },
  ],
  curves: {
    title: "Who was there",
    xLabel: "false positives",
    yLabel: "true positives",
    curves: [
      { name: "LiRA, no noise", points: Array.from({ length: 40 }, (_, i) => [i / 39, Math.sqrt(i / 39)] as const) },
      { name: "loss, no noise", points: Array.from({ length: 40 }, (_, i) => [i / 39, i / 39] as const) },
    ],
  },
  figures: { single: 1 },
  defence: "Noise does.",
  cpuSeconds: 1.5,
};

describe("the report of an attack", () => {
  const html = renderAttackHtml(RESULT);

  it("is the same whenever it is made", () => {
    expect(renderAttackHtml(RESULT)).toBe(html);
  });

  it("has its pictures in it, and asks nobody for anything", () => {
    const sources = [...html.matchAll(/src="([^"]*)"/g)].map(([, source]) => source);
    const [original, recovered] = [ORIGINAL, RECOVERED].map((pixels) => pngDataUri(pixels, 2, 2));
    expect(sources).toEqual([original, recovered, original, original]);
    expect(html.replaceAll(/data:image\/png;base64,[\w+/=]*/g, "")).not.toMatch(
      /href|url\(|@import|<script|<link|https?:|\/\/\w/i,
    );
  });

  it("says how alike two pictures are, also where they are the same", () => {
    expect(html).toContain("one device: what the device had, and what was recovered (25.5 dB)");
    expect(html).toContain("What the device had, and what was recovered (exactly)");
    expect(html).not.toMatch(/Infinity|NaN|undefined/);
  });

  it("has the points of its curves in a table, and labels that do not cover each other", () => {
    const [svg] = html.match(/<svg.*?<\/svg>/s) ?? [""];
    expect(overlaps(textBoxes(svg))).toEqual([]);
    expect(clipped(svg)).toEqual([]);
    const rows = html.slice(html.indexOf("</svg>")).match(/<tr><th scope="row">[A-Za-z]+(?:, no noise)?<\/th>/g);
    expect(rows).toHaveLength(40 + 40 + 2);
    expect(html).toContain("the initial &lt;2nn> on mnist");
  });

  it("tells its curves apart where they are drawn and where they are named, and has the diagonal beside them", () => {
    const [svg] = html.match(/<svg.*?<\/svg>/s) ?? [""];
    const strokes = [...svg.matchAll(/<path d="M[\d.]+,[^"]*" fill="none" (stroke="[^"]*"[^>]*)>/g)].map(
      ([, stroke]) => stroke,
    );
    expect(new Set(strokes).size).toBe(3);
    // Marks along each line, and one beside its name.
    expect(svg.match(/<circle [^>]*r="4.5"/g)).toHaveLength(8 + 1);
    expect(svg.match(/<rect [^>]*width="9"/g)).toHaveLength(8 + 1);
    expect(textBoxes(svg).map(({ text }) => text)).toContain("guessing");
  });

  it("has figures as JSON that leave out pixels, and what JSON has no number for", () => {
    const figures = JSON.parse(JSON.stringify(attackFigures(RESULT)));
    expect(figures).toMatchObject({ schema: "murmuration/attack/1", attack: "invert", figures: { single: 1 } });
    expect(figures.pictures).toEqual([
      { name: "one device", psnr: 25.51 },
      { name: "", psnr: null },
    ]);
  });
});
