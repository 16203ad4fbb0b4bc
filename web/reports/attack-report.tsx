import type { AttackResult } from "../../shared/attacks/attack-result.ts";
import { ChartFigure, DataTable } from "../charts/chart-figure.tsx";
import { LineChart } from "../charts/line-chart.tsx";
import { pngDataUri } from "./png.ts";
import { reportPage } from "./report-page.tsx";

/** Who guesses is as often right as wrong. */
const GUESSING = {
  name: "guessing",
  points: [
    [0, 0],
    [1, 1],
  ] as const,
};

/** An attack's result without its pictures: what is written as JSON. */
export function attackFigures({ pictures, ...result }: AttackResult) {
  return {
    schema: "murmuration/attack/1",
    ...result,
    pictures: pictures.map(({ name, psnr }) => ({ name, psnr: Number.isFinite(psnr) ? psnr : null })),
  };
}

/** An attack as one HTML file, its pictures in it. */
export function renderAttackHtml(result: AttackResult): string {
  const { attack, target, finding, heads, rows, pictures, curves, defence } = result;
  return reportPage(
    `Attack: ${attack}`,
    <>
      <h1>Attack: {attack}</h1>
      <p class="lead">{finding}</p>
      <p>On {target}.</p>
      <DataTable heads={heads} rows={rows} />
      {pictures.length === 0 ? null : (
        <>
          <h2>What was recovered</h2>
          {pictures.map(({ name, width, height, original, recovered, psnr }, i) => (
            <figure key={`${name} ${String(i)}`}>
              <img
                src={pngDataUri(original, width, height)}
                width={140}
                height={(140 * height) / width}
                alt="What the device had"
              />{" "}
              <img
                src={pngDataUri(recovered, width, height)}
                width={140}
                height={(140 * height) / width}
                alt={`What was recovered of it, ${decibels(psnr)}`}
              />
              <figcaption>
                {name === "" ? "What" : `${name}: what`} the device had, and what was recovered ({decibels(psnr)})
              </figcaption>
            </figure>
          ))}
        </>
      )}
      {curves === undefined ? null : (
        <ChartFigure
          title={curves.title}
          caption="Higher is better for who attacks; the diagonal is guessing."
          table={{
            heads: ["curve", curves.xLabel, curves.yLabel],
            rows: [...curves.curves, GUESSING].flatMap(({ name, points }) =>
              points.map(([x, y]) => [name, x.toPrecision(3), y.toPrecision(3)]),
            ),
          }}
        >
          <LineChart
            title={curves.title}
            description={curves.curves.map(({ name }) => name).join(", ")}
            xLabel={curves.xLabel}
            yLabel={curves.yLabel}
            series={[...curves.curves, GUESSING].map(({ name, points }) => ({
              name,
              points: points.map(([x, y]) => ({ x, y })),
              isReference: name === GUESSING.name,
            }))}
            yDomain={[0, 1]}
            yText={(value) => value.toFixed(1)}
          />
        </ChartFigure>
      )}
      <h2>What stops it</h2>
      <p>{defence}</p>
    </>,
  );
}

/** Two equal pictures have no noise between them, and no ratio. */
function decibels(psnr: number): string {
  return Number.isFinite(psnr) ? `${psnr.toFixed(1)} dB` : "exactly";
}
