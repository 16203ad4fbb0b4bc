import { describe, expect, it } from "vitest";
import { CHART_CSS, seriesStyle } from "../../../web/charts/series-style.ts";
import { PAPER_COLOURS } from "../../../web/charts/svg.ts";

/** Relative luminance (WCAG 2.2). */
function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

/** The custom properties of every `:root` of the style sheet: light, dark, print. */
const themes = [...CHART_CSS.matchAll(/:root \{([^}]*)\}/g)].map(([, body]) =>
  Object.fromEntries([...body.matchAll(/--([\w-]+): (#[0-9a-f]{6})/g)].map(([, name, colour]) => [name, colour])),
);

describe("the palette", () => {
  it("computes contrast as its definition does", () => {
    expect(contrast("#ffffff", "#000000")).toBeCloseTo(21, 6);
    expect(contrast("#0072b2", "#ffffff")).toBeCloseTo(5.19, 2);
  });

  it("has a light theme, a dark one and one for print, with the same roles", () => {
    expect(themes).toHaveLength(3);
    expect(new Set(themes.map((theme) => Object.keys(theme).sort().join())).size).toBe(1);
  });

  it.each(["light", "dark", "print"].map((name, i) => [name, themes[i]] as const))(
    "has 3 : 1 for marks and 4.5 : 1 for text in the %s theme",
    (_name, { paper, ink, faint, rule, ...series }) => {
      expect(Object.keys(series)).toEqual(["series-1", "series-2", "series-3", "series-4"]);
      for (const colour of Object.values(series)) expect(contrast(colour, paper)).toBeGreaterThanOrEqual(3);
      expect(contrast(ink, paper)).toBeGreaterThanOrEqual(4.5);
      expect(contrast(faint, paper)).toBeGreaterThanOrEqual(4.5);
      expect(rule).toBeDefined();
    },
  );

  it("names only colours that the themes define", () => {
    for (let i = 0; i < 5; i++) {
      const [, name] = /^var\(--([\w-]+)\)$/.exec(seriesStyle(i).colour) ?? [];
      for (const theme of themes) expect(theme[name]).toMatch(/^#/);
    }
  });

  it("tells series apart by more than colour: no two of the first 25 have the same mark and colour, and no two of five the same mark or dash", () => {
    const styles = Array.from({ length: 25 }, (_, i) => seriesStyle(i));
    expect(new Set(styles.map(({ colour, mark }) => `${colour} ${mark}`)).size).toBe(25);
    expect(new Set(styles.slice(0, 5).map(({ mark }) => mark)).size).toBe(5);
    expect(new Set(styles.slice(0, 5).map(({ dash }) => dash)).size).toBe(5);
  });

  it("is legible on paper too, where the plot of who holds what is drawn", () => {
    const { paper, ink, faint, device } = PAPER_COLOURS;
    for (const colour of [ink, faint]) expect(contrast(colour, paper)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(device, paper)).toBeGreaterThanOrEqual(3);
  });
});
