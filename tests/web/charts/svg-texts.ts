/** A text of a chart, and about the box that it takes: by the widths of DejaVu Sans, in which the figures were checked. */
export interface TextBox {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const SIZE = 13;

/** Advance widths of DejaVu Sans in thousandths of an em. */
const WIDTHS: Readonly<Record<string, number>> = {
  " ": 318,
  "%": 950,
  "(": 390,
  ")": 390,
  ",": 318,
  "-": 361,
  ".": 318,
  "/": 337,
  "=": 838,
  "'": 275,
  "–": 500,
  A: 684,
  B: 686,
  C: 698,
  D: 770,
  E: 632,
  F: 575,
  G: 775,
  H: 752,
  I: 295,
  J: 295,
  K: 656,
  L: 557,
  M: 863,
  N: 748,
  O: 787,
  P: 603,
  Q: 787,
  R: 695,
  S: 635,
  T: 611,
  U: 732,
  V: 684,
  W: 989,
  X: 685,
  Y: 611,
  Z: 685,
  a: 613,
  b: 635,
  c: 550,
  d: 635,
  e: 615,
  f: 352,
  g: 635,
  h: 634,
  i: 278,
  j: 278,
  k: 579,
  l: 278,
  m: 974,
  n: 634,
  o: 612,
  p: 635,
  q: 635,
  r: 411,
  s: 521,
  t: 392,
  u: 634,
  v: 592,
  w: 818,
  x: 592,
  y: 592,
  z: 525,
  ε: 541,
  α: 659,
};

export function advanceWidth(text: string): number {
  return [...text].reduce((sum, character) => sum + (WIDTHS[character] ?? 640), 0) * (SIZE / 1000);
}

/** Every text of an SVG, as this project's charts write them: at a place, or moved to it and turned to the left. */
export function textBoxes(svg: string): TextBox[] {
  return [...svg.matchAll(/<text ([^>]*)>([^<]*)<\/text>/g)].map(([, written, escaped]) => {
    const attributes = Object.fromEntries(
      [...written.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
    const text = escaped.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
    const width = advanceWidth(text);
    const anchor = attributes["text-anchor"] ?? "start";
    const before = anchor === "end" ? width : anchor === "middle" ? width / 2 : 0;
    const turned = /^translate\(([-\d.]+) ([-\d.]+)\) rotate\(-90\)$/.exec(attributes.transform ?? "");
    // Capitals and figures are three quarters of an em high, and a quarter hangs below the line.
    const [rise, fall] = [0.75 * SIZE, 0.2 * SIZE];
    if (turned !== null) {
      const [x, y] = [Number(turned[1]), Number(turned[2])];
      return { text, left: x - rise, right: x + fall, top: y + before - width, bottom: y + before };
    }
    const [x, y] = [Number(attributes.x), Number(attributes.y)];
    return { text, left: x - before, right: x - before + width, top: y - rise, bottom: y + fall };
  });
}

/** The pairs of texts that cover each other. */
export function overlaps(boxes: readonly TextBox[]): string[] {
  return boxes.flatMap((a, i) =>
    boxes
      .slice(i + 1)
      .filter((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
      .map((b) => `"${a.text}" and "${b.text}"`),
  );
}

/** The texts that stand out of the picture, or whose place is no number. */
export function clipped(svg: string): string[] {
  const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg) ?? [];
  return textBoxes(svg)
    .filter(
      ({ left, right, top, bottom }) => !(left >= 0 && right <= Number(width) && top >= 0 && bottom <= Number(height)),
    )
    .map(({ text }) => text);
}
