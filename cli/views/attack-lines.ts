import type { AttackResult, RecoveredPicture } from "../../shared/attacks/attack-result.ts";
import type { Colours } from "./colours.ts";
import { filled, secondsText, table } from "./figures.ts";

/** An attack for a person: what happened, the figures, and pictures where there is a screen for them. */
export function attackLines(
  result: AttackResult,
  { paint, folder, pictures }: { readonly paint: Colours; readonly folder: string; readonly pictures: boolean },
): string[] {
  const right = result.heads.map((_, i) => i).slice(-1);
  return [
    `${paint.bold(result.attack)}  ${result.target}`,
    "",
    ...filled(result.finding, 100),
    "",
    ...table([result.heads.map((head) => paint.dim(head)), ...result.rows], right),
    "",
    ...(pictures ? result.pictures.slice(0, 2).flatMap(pictureLines) : []),
    ...filled(result.defence, 100).map((line) => paint.dim(line)),
    "",
    `pictures   ${folder}/attack.html`,
    `figures    ${folder}/attack.json`,
    `time       ${secondsText(result.cpuSeconds)} of CPU`,
  ];
}

/** Two rows of pixels a line, the original beside what was recovered of it. */
function pictureLines({ name, width, height, original, recovered, psnr }: RecoveredPicture): string[] {
  const lines: string[] = [`${name} (${psnr.toFixed(1)} dB): the original, and what was recovered`];
  for (let y = 0; y + 1 < height; y += 2) {
    const row = (pixels: Float32Array): string =>
      Array.from({ length: width }, (_, x) => halfBlock(pixels[y * width + x], pixels[(y + 1) * width + x])).join("");
    lines.push(`${row(original)}  ${row(recovered)}`);
  }
  return [...lines, ""];
}

function halfBlock(upper: number, lower: number): string {
  const [top, bottom] = [upper > 0.35, lower > 0.35];
  if (top) return bottom ? "█" : "▀";
  return bottom ? "▄" : " ";
}
