import { Fragment } from "preact";
import { epsilonText, roundedUp } from "../../shared/privacy/epsilon-statement.ts";
import { median } from "../../shared/statistics/median.ts";
import { DataTable, type FigureTable } from "../charts/chart-figure.tsx";
import { cellName } from "./cell-name.ts";
import { csvText } from "./csv.ts";
import { markdownCode, markdownTable, markdownText } from "./markdown.ts";
import { MECHANISM_NAMES, MECHANISM_TRUST } from "./mechanism-names.ts";
import {
  ClassChart,
  CrowdChart,
  FrontierChart,
  privateCells,
  RoundCharts,
  trustedMechanisms,
} from "./privacy-charts.tsx";
import type { PrivacyReportData, ReportCell } from "./privacy-report-data.ts";
import { cellAccuracy, firstSentence, percent } from "./privacy-sentence.ts";
import { reportPage } from "./report-page.tsx";

/** The report as one HTML file. */
export function renderPrivacyReportHtml(data: PrivacyReportData): string {
  const { title, stamps, task, certified } = data;
  const statements = statementsOf(data);
  return reportPage(
    title,
    <>
      <h1>{title}</h1>
      <p class="lead">{firstSentence(data)}</p>
      {stamps.length === 0 ? null : (
        <p>
          {stamps.map((stamp) => (
            <Fragment key={stamp}>
              <span class="stamp">{stamp}</span>{" "}
            </Fragment>
          ))}
          {stampText(stamps)}
        </p>
      )}
      {data.chart === "crowd" ? <CrowdChart data={data} /> : <FrontierChart data={data} />}
      {localNote(data) === undefined ? null : <p>{localNote(data)}</p>}
      <ClassChart data={data} />
      <RoundCharts data={data} />
      <h2>What it costs</h2>
      <DataTable {...costTable(data)} />
      {certified === undefined ? null : (
        <>
          <h2>The same, for real</h2>
          <p>{certifiedText(certified)}</p>
        </>
      )}
      {data.audits === undefined ? null : (
        <>
          <h2>Is it true?</h2>
          <p>
            One release of the certified noise, without sampling, was audited: canaries prove that ε is at least so
            much. Above what is claimed, a build is at fault. The first row is this build; the others have a fault put
            in.
          </p>
          <DataTable {...auditTable(data.audits)} />
        </>
      )}
      {data.attacks === undefined ? null : (
        <>
          <h2>What an attacker gets</h2>
          <DataTable {...attackTable(data.attacks)} />
        </>
      )}
      <h2>What the guarantee means</h2>
      <p>
        ε bounds how much anything that is published can depend on one device: whatever somebody would have thought of
        the device before, the odds change by a factor of e^ε at most, but for a chance of δ. Smaller is stronger.
      </p>
      <ul>
        {statements.map((statement) => (
          <li key={statement}>{statement}</li>
        ))}
      </ul>
      <h2>Who has to be trusted</h2>
      <ul>
        {trustedMechanisms(data).map((mechanism) => (
          <li key={mechanism}>
            <strong>{MECHANISM_NAMES[mechanism]}</strong>: {MECHANISM_TRUST[mechanism]}
          </li>
        ))}
      </ul>
      <p>{AMPLIFICATION}</p>
      <h2>How it was made</h2>
      <DataTable
        heads={["what", ""]}
        rows={[
          ["data", `${task.dataset}, ${task.testExamples.toLocaleString("en")} public test examples`],
          ["model", `${task.model}, ${task.parameters.toLocaleString("en")} parameters`],
          ["rounds", String(task.rounds)],
          ["a device in a round", task.training],
          ["clip norm", task.clip],
          ["tuning", task.tuning],
          ...data.axes.map(({ name, values }) => [name, values.join(", ")]),
          [
            "machine",
            `${data.machine.cpu}, ${data.machine.cores} cores, Node ${data.machine.node}, ${data.machine.os}`,
          ],
          ["code", data.commit ?? "no commit"],
          ["made", data.generatedAt],
        ]}
      />
      <p>
        Again: <code>{data.command}</code>
      </p>
    </>,
  );
}

/** The report as Markdown: its words and its tables. */
export function renderPrivacyReportMarkdown(data: PrivacyReportData): string {
  const { certified, stamps } = data;
  const note = localNote(data);
  const baseline = markdownText(baselineText(data));
  const lines = [
    `# ${markdownText(data.title)}`,
    "",
    markdownText(firstSentence(data)),
    "",
    ...(stamps.length === 0 ? [] : [`**${stamps.join(" ")}** ${stampText(stamps)}`, ""]),
    ...markdownTable(accuracyRows(data)),
    "",
    ...(baseline === "" ? [] : [baseline, ""]),
    ...(note === undefined ? [] : [markdownText(note), ""]),
    "## What it costs",
    "",
    ...markdownTable(costTable(data)),
    "",
    ...(certified === undefined ? [] : ["## The same, for real", "", markdownText(certifiedText(certified)), ""]),
    ...(data.audits === undefined ? [] : ["## Is it true?", "", ...markdownTable(auditTable(data.audits)), ""]),
    "## What the guarantee means",
    "",
    ...statementsOf(data).map((statement) => `- ${markdownText(statement)}`),
    "",
    AMPLIFICATION,
    "",
    "## Again",
    "",
    `${markdownCode(data.command)} (${data.commit ?? "no commit"}, ${markdownText(data.machine.cpu)}, Node ${data.machine.node})`,
    "",
  ];
  return lines.join("\n");
}

/** One line for every seed of every cell. */
export function cellsCsv({ cells }: PrivacyReportData): string {
  const heads = [
    "mechanism",
    "epsilon_target",
    "epsilon",
    "epsilon_unamplified",
    "delta",
    "adjacency",
    "accountant",
    "noise_multiplier",
    "population",
    "examples_per_device",
    "sampling_rate",
    "bits",
    "dropout",
    "heterogeneity",
    "seed",
    "accuracy",
    "diverged",
    "cpu_seconds",
    "wall_seconds",
    "bytes_up_per_device",
    "bytes_down_per_device",
  ];
  const rows = cells.flatMap((cell) => {
    const privacy =
      cell.kind === "noiseless"
        ? ["", "", "", "", "", "", ""]
        : [
            cell.epsilonTarget ?? "",
            cell.epsilon.epsilon,
            cell.epsilon.unamplified.epsilon,
            cell.epsilon.delta,
            cell.epsilon.adjacency,
            cell.epsilon.accountant,
            cell.noiseMultiplier,
          ];
    const { mechanism, population, perDevice, samplingRate, bits, dropout, heterogeneity } = cell;
    return cell.seeds.map((seed) => [
      mechanism,
      ...privacy,
      population,
      perDevice,
      samplingRate,
      bits ?? "",
      dropout,
      heterogeneity,
      seed.seed,
      seed.accuracy,
      seed.diverged,
      seed.cpuSeconds,
      seed.wallSeconds,
      seed.uploadedBytesPerDevice,
      seed.downloadedBytesPerDevice,
    ]);
  });
  return csvText(heads, rows);
}

/** One line for every round after which a model was evaluated. */
export function roundsCsv({ cells }: PrivacyReportData): string {
  const rows = cells.flatMap((cell) =>
    cell.seeds.flatMap(({ seed, byRound }) =>
      byRound.map(({ round, accuracy, updateNorm }) => [
        cell.mechanism,
        cell.kind === "private" ? (cell.epsilonTarget ?? "") : "",
        cell.population,
        cell.samplingRate,
        cell.bits ?? "",
        cell.dropout,
        cell.heterogeneity,
        seed,
        round,
        accuracy,
        updateNorm,
      ]),
    ),
  );
  const heads = [
    "mechanism",
    "epsilon_target",
    "population",
    "sampling_rate",
    "bits",
    "dropout",
    "heterogeneity",
    "seed",
    "round",
    "accuracy",
    "update_norm",
  ];
  return csvText(heads, rows);
}

const AMPLIFICATION =
  "The amplified ε is a promise against those who see the models: the coordinator draws who is in a round, and knows it. For it, and for anybody who learns who took part, the figure without amplification holds. Devices are assumed to be lost independently of their data.";

function stampText(stamps: readonly string[]): string {
  return [
    ...(stamps.includes("INSECURE-DETERMINISTIC")
      ? [
          "Coins and noise came from published seeds: these are the mechanism's ε, in a simulation, and nobody's guarantee.",
        ]
      : []),
    ...(stamps.includes("NOISE-AGGREGATE")
      ? ["The noise of all devices was drawn once a round, from the law of its sum."]
      : []),
    ...(stamps.some((stamp) => stamp.startsWith("CRYPTO-")) ? ["Sums were made without masks."] : []),
  ].join(" ");
}

/** What local noise leaves, said plainly. */
function localNote(data: PrivacyReportData): string | undefined {
  const local = privateCells(data).filter(({ mechanism }) => mechanism === "local");
  if (local.length === 0) return undefined;
  const best = Math.max(...local.map(cellAccuracy));
  const { chance } = data.baselines;
  return chance !== undefined && best < 3 * chance
    ? `Noise that every device makes for itself alone leaves a model near chance (at best ${percent(best)}, chance is ${percent(chance)}): with so few devices, privacy without any trust costs the whole model.`
    : `Noise that every device makes for itself alone leaves ${percent(best)} at best.`;
}

function accuracyRows({ cells }: PrivacyReportData): FigureTable {
  return {
    heads: ["cell", "devices", "accuracy (median)", "each seed"],
    rows: cells.map((cell) => [
      cellName(cell, cells),
      cell.population.toLocaleString("en"),
      percent(cellAccuracy(cell)),
      cell.seeds.map(({ accuracy, diverged }) => `${percent(accuracy)}${diverged ? " (diverged)" : ""}`).join(", "),
    ]),
  };
}

function baselineText({ baselines: { central, localOnly, chance } }: PrivacyReportData): string {
  return [
    ...(central === undefined
      ? []
      : [`All data in one place: ${percent(median(central.accuracies))} (${central.what}).`]),
    ...(localOnly === undefined
      ? []
      : [`Each device alone: ${percent(median(localOnly.accuracies))} (${localOnly.what}).`]),
    ...(chance === undefined ? [] : [`Chance: ${percent(chance)}.`]),
  ].join(" ");
}

function costTable({ cells }: PrivacyReportData): FigureTable {
  const middle = (cell: ReportCell, of: (seed: ReportCell["seeds"][number]) => number): number =>
    median(cell.seeds.map(of));
  return {
    heads: ["cell", "devices", "CPU seconds", "seconds", "kB up a device and round", "kB down"],
    rows: cells.map((cell) => [
      cellName(cell, cells),
      cell.population.toLocaleString("en"),
      middle(cell, ({ cpuSeconds }) => cpuSeconds).toFixed(1),
      middle(cell, ({ wallSeconds }) => wallSeconds).toFixed(1),
      (middle(cell, ({ uploadedBytesPerDevice }) => uploadedBytesPerDevice) / 1000).toFixed(0),
      (middle(cell, ({ downloadedBytesPerDevice }) => downloadedBytesPerDevice) / 1000).toFixed(0),
    ]),
  };
}

function certifiedText({
  mechanism,
  rounds,
  epsilon,
  accuracy,
  exact,
  roster,
  uploadedBytesPerDevice,
  cpuSeconds,
}: NonNullable<PrivacyReportData["certified"]>): string {
  const sums = exact
    ? "Every unmasked sum was the plain sum of what devices had masked, bit for bit."
    : "NOT every unmasked sum was the plain sum of what devices had masked.";
  return `${rounds} ${rounds === 1 ? "round" : "rounds"} (${MECHANISM_NAMES[mechanism]}) in which each of ${roster} devices drew its own noise from the operating system and sent it through real masks: ${percent(accuracy)}, ${(uploadedBytesPerDevice / 1000).toFixed(0)} kB up a device and round, ${cpuSeconds.toFixed(1)} CPU seconds in all. ${sums} ${epsilonText(epsilon)}.`;
}

function auditTable(audits: NonNullable<PrivacyReportData["audits"]>): FigureTable {
  return {
    heads: ["audit", "ε is at least", "ε is at most", ""],
    rows: audits.map(({ name, lowerBound, upperBound, epsilon }) => [
      name,
      lowerBound.toFixed(2),
      roundedUp(upperBound),
      epsilonText(epsilon),
    ]),
  };
}

function attackTable(attacks: NonNullable<PrivacyReportData["attacks"]>): FigureTable {
  return {
    heads: ["attack", "against", "figure", ""],
    rows: attacks.map(({ name, setting, figure, value }) => [name, setting, figure, percent(value)]),
  };
}

function statementsOf(data: PrivacyReportData): string[] {
  return [
    ...new Set(privateCells(data).map((cell) => `${MECHANISM_NAMES[cell.mechanism]}: ${epsilonText(cell.epsilon)}.`)),
  ];
}
