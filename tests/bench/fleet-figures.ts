import { parseArgs } from "node:util";
import { eligibilityFigures } from "../../simulations/fleet/model/eligibility-figures.ts";
import { phoneEligibility } from "../../simulations/fleet/model/phone-week.ts";

// npm run fleet:figures [-- --devices 20000] [--days 7] [--seed 1]
const { values } = parseArgs({
  options: {
    devices: { type: "string", default: "20000" },
    days: { type: "string", default: "7" },
    seed: { type: "string", default: "1" },
  },
});
const devices = Number(values.devices);
const days = Number(values.days);
if (!(Number.isInteger(devices) && devices > 0 && Number.isInteger(days) && days > 0)) {
  throw new RangeError("--devices and --days are whole numbers above 0");
}

const figures = eligibilityFigures(phoneEligibility(Number(values.seed)), devices, days);
const peak = Math.max(...figures.byHour);
const trough = Math.min(...figures.byHour);
const at = (share: number) => `at ${String(figures.byHour.indexOf(share)).padStart(2, "0")} h`;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const minutes = (milliseconds: number) => (milliseconds / 60_000).toFixed(1);

// "Calibrated" is what the generator was fitted to give; "published" is Bonawitz et al. 2019, arXiv 1902.01046.
const rows = [
  ["", "here", "calibrated", "published"],
  ["eligible on average", percent(figures.mean), "26 %", ""],
  ["most, Eastern clock", `${percent(peak)} ${at(peak)}`, "53.8 % at 02 h", ""],
  ["fewest", `${percent(trough)} ${at(trough)}`, "12.5 % at 17 h", ""],
  ["most over fewest", figures.ratio.toFixed(2), "4.3", "4"],
  ["session p10/50/90, minutes", figures.sessions.map(minutes).join(" / "), "3.4 / 26 / 137", ""],
  ...[
    [60, "1.9 %", ""],
    [120, "3.7 %", ""],
    [180, "5.5 %", "6 to 10 % of devices, all causes"],
    [300, "8.9 %", ""],
    [600, "16.6 %", ""],
  ].map(([seconds, calibrated, published]) => [
    `lost during a task of ${seconds} s`,
    percent(figures.lostWithin(1000 * Number(seconds))),
    String(calibrated),
    String(published),
  ]),
];
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
const lines = rows.map((row) =>
  row
    .map((cell, column) => cell.padEnd(widths[column]))
    .join("  ")
    .trimEnd(),
);
process.stdout.write(`${devices} devices, ${days} days, seed ${values.seed}\n\n${lines.join("\n")}\n\n`);

const bar = (share: number) => "█".repeat(Math.round((60 * share) / peak));
for (const [hour, share] of figures.byHour.entries()) {
  process.stdout.write(`${String(hour).padStart(2, "0")} h  ${percent(share).padStart(6)}  ${bar(share)}\n`);
}
