import { gaussianDelta } from "../../shared/privacy/accounting/analytic-gaussian.ts";
import { type SeededRandom, seededRandom } from "../../shared/random/seeded-random.ts";
import { gatherExamples } from "../datasets/index.ts";
import type { Attack, AttackTarget } from "./attack.ts";
import {
  createNetwork,
  logitConfidences,
  type NetworkTraining,
  type SparseExamples,
  sparseExamples,
  trainNetwork,
} from "./overfitted-network.ts";
import { type RocCurve, rocCurve, type Scored, truePositivesAt } from "./roc.ts";

const EXAMPLES = 400;
/** Labels that are wrong have to be learnt by heart. */
const WRONG = 0.2;
const HIDDEN = 64;
const FALSE_POSITIVES = 0.01;
/** Of DP-SGD on the whole set: q = 1, so ε follows from z / √T alone. */
const PRIVATE_STEPS = 60;
const NOISE = 3.72;

export const PLAIN_TRAINING: NetworkTraining = { steps: 150, learningRate: 0.05 };

export function privateTraining(noiseMultiplier: number = NOISE): NetworkTraining {
  return { steps: PRIVATE_STEPS, learningRate: 0.5, privacy: { clip: 1, noiseMultiplier } };
}

/**
 * Which examples a model was trained on. The loss alone tells a little; the likelihood ratio of Carlini et al. 2022 (LiRA,
 * arXiv 2112.03570), which asks of each example how sure models are that have seen it and models that have not, much more.
 */
export const member: Attack = {
  what: "tells which examples a model has seen, from how sure it is of them (LiRA)",
  async run(target, { seed, quick, noise = NOISE, cpuSeconds }) {
    const started = cpuSeconds();
    const shadows = quick ? 24 : 64;
    const targets = quick ? 4 : 8;
    const examples = overfittedSet(target, seed);
    const plain = attackModels(examples, PLAIN_TRAINING, { seed, shadows, targets, name: "plain" });
    const noised = attackModels(examples, privateTraining(noise), { seed, shadows, targets, name: "noised" });
    const ceiling = ceilingOf(noise);
    const outcomes = [
      ["loss", "none", plain.loss],
      ["LiRA", "none", plain.lira],
      ["loss", `z = ${noise}`, noised.loss],
      ["LiRA", `z = ${noise}`, noised.lira],
    ] as const;
    const at = (roc: RocCurve): number => truePositivesAt(roc, FALSE_POSITIVES);
    const figures = {
      loss_tpr: at(plain.loss),
      lira_tpr: at(plain.lira),
      noised_loss_tpr: at(noised.loss),
      noised_lira_tpr: at(noised.lira),
      ceiling_tpr: ceiling(FALSE_POSITIVES),
      loss_auc: plain.loss.area,
      lira_auc: plain.lira.area,
      noised_lira_auc: noised.lira.area,
    };
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
    return {
      attack: "member",
      target: `784-${HIDDEN}-10 on ${EXAMPLES} examples, ${100 * WRONG} % of them with a wrong label; ${shadows} shadow models, ${targets} attacked`,
      finding: `Of the examples that a model was trained on, ${percent(figures.lira_tpr)} are told with one false alarm in a hundred; by their loss alone ${percent(figures.loss_tpr)}. With noise (z = ${noise}, ${PRIVATE_STEPS} steps) ${percent(figures.noised_lira_tpr)}, and no attack whatever tells more than ${percent(figures.ceiling_tpr)}.`,
      heads: ["score", "noise", "true positives at 1 % false ones", "area under the curve"],
      rows: [
        ...outcomes.map(([name, z, roc]) => [name, z, percent(at(roc)), roc.area.toFixed(3)]),
        ["any attack at all", `z = ${noise}`, `at most ${percent(figures.ceiling_tpr)}`, "–"],
      ],
      pictures: [],
      curves: {
        title: "Who was in the training set",
        xLabel: "false positives",
        yLabel: "true positives",
        curves: [
          { name: "LiRA, no noise", points: thinned(plain.lira.points) },
          { name: "loss, no noise", points: thinned(plain.loss.points) },
          { name: "LiRA, noise", points: thinned(noised.lira.points) },
          {
            name: "ceiling of the noise",
            points: Array.from({ length: 51 }, (_, i) => [i / 50, ceiling(i / 50)] as const),
          },
        ],
      },
      figures,
      defence:
        "Secure aggregation does not stop it: it is the published model that tells. Noise bounds what any attack can tell, whoever makes it and whatever else they know; fewer epochs and smaller models help, and promise nothing.",
      cpuSeconds: cpuSeconds() - started,
    };
  },
};

export function overfittedSet({ dataset }: AttackTarget, seed: number): SparseExamples {
  const random = seededRandom(seed, "member-examples");
  const drawn = gatherExamples(dataset.train, random.sample(dataset.train.count, EXAMPLES));
  const labels = Int32Array.from(drawn.labels);
  for (let i = 0; i < labels.length; i++) if (random.uniform() < WRONG) labels[i] = random.below(dataset.outputs);
  return sparseExamples(drawn.inputs, labels, drawn.inputs.length / EXAMPLES);
}

interface Models {
  readonly seed: number;
  readonly shadows: number;
  readonly targets: number;
  readonly name: string;
}

/** Trains shadow models and attacked ones on random halves of the examples, and scores the examples of the latter. */
export function attackModels(
  examples: SparseExamples,
  training: NetworkTraining,
  { seed, shadows, targets, name }: Models,
): { readonly loss: RocCurve; readonly lira: RocCurve } {
  const train = (kind: string, index: number) => {
    const random = seededRandom(seed, `member-${name}-${kind}`, index);
    const isIn = halfOf(examples.labels.length, random);
    const members = [...isIn.keys()].filter((example) => isIn[example]);
    const network = createNetwork(784, HIDDEN, 10, random);
    trainNetwork(network, examples, members, training, random);
    return { isIn, confidences: logitConfidences(network, examples) };
  };
  const trained = Array.from({ length: shadows }, (_, index) => train("shadow", index));
  const attacked = Array.from({ length: targets }, (_, index) => train("target", index));
  const ratio = likelihoodRatio(trained, examples.labels.length);
  const scored = (score: (confidence: number, example: number) => number): Scored[] =>
    attacked.flatMap(({ isIn, confidences }) =>
      Array.from(confidences, (confidence, example) => ({
        score: score(confidence, example),
        isMember: isIn[example],
      })),
    );
  // The loss −ln p falls as the logit rises: they order examples alike.
  return { loss: rocCurve(scored((confidence) => confidence)), lira: rocCurve(scored(ratio)) };
}

/** Half of the examples, by lot. */
function halfOf(count: number, random: SeededRandom): boolean[] {
  const order = random.shuffle(Array.from({ length: count }, (_, i) => i));
  const isIn = new Array<boolean>(count).fill(false);
  for (const example of order.slice(0, count / 2)) isIn[example] = true;
  return isIn;
}

interface Shadow {
  readonly isIn: readonly boolean[];
  readonly confidences: Float64Array;
}

/**
 * ln N(φ; μ_in, σ_in) − ln N(φ; μ_out, σ_out) with each example's own means, and deviations that all examples share: of as
 * few models as these, deviations of one example's own would be worse (Carlini et al. 2022, section VI-B).
 */
function likelihoodRatio(shadows: readonly Shadow[], count: number): (confidence: number, example: number) => number {
  const mean = (example: number, isIn: boolean): number => {
    const seen = shadows.filter((shadow) => shadow.isIn[example] === isIn);
    return seen.reduce((sum, { confidences }) => sum + confidences[example], 0) / Math.max(1, seen.length);
  };
  const means = { in: new Float64Array(count), out: new Float64Array(count) };
  const squares = { in: 0, out: 0 };
  const counts = { in: 0, out: 0 };
  for (let example = 0; example < count; example++) {
    means.in[example] = mean(example, true);
    means.out[example] = mean(example, false);
    for (const { isIn, confidences } of shadows) {
      const side = isIn[example] ? "in" : "out";
      squares[side] += (confidences[example] - means[side][example]) ** 2;
      counts[side]++;
    }
  }
  const variance = { in: squares.in / (counts.in - count), out: squares.out / (counts.out - count) };
  const log = (side: "in" | "out", confidence: number, example: number): number =>
    -((confidence - means[side][example]) ** 2) / (2 * variance[side]) - 0.5 * Math.log(variance[side]);
  return (confidence, example) => log("in", confidence, example) - log("out", confidence, example);
}

/** No attack on a (ε, δ(ε)) private model has more true positives than min over ε of e^ε · false ones + δ(ε). */
export function ceilingOf(noise: number): (falsePositives: number) => number {
  // Without sampling, so many steps are one of less noise.
  const noiseMultiplier = noise / Math.sqrt(PRIVATE_STEPS);
  const curve = Array.from({ length: 201 }, (_, i) => {
    const epsilon = i / 10;
    return { epsilon, delta: gaussianDelta(epsilon, noiseMultiplier) };
  });
  return (falsePositives) =>
    Math.min(1, ...curve.map(({ epsilon, delta }) => Math.exp(epsilon) * falsePositives + delta));
}

/** As many points as a line needs. */
function thinned(points: RocCurve["points"]): RocCurve["points"] {
  const step = Math.max(1, Math.floor(points.length / 60));
  return points.filter((_, i) => i % step === 0 || i === points.length - 1);
}
