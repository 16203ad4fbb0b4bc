import { ENGINES } from "../../client/training/engines.ts";
import type { Trainer } from "../../client/training/trainer.ts";
import type { Examples } from "../../shared/learning/examples.ts";
import { initialParameters } from "../../shared/learning/models/model-parameters.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { median } from "../../shared/statistics/median.ts";
import { type Dataset, gatherExamples } from "../datasets/index.ts";
import { holdExamples } from "../datasets/partitions/holdings.ts";
import { AGGREGATION_RULES, type AggregationRule } from "./aggregation-rules.ts";
import type { Attack, AttackTarget } from "./attack.ts";
import { subtracted } from "./observed-sum.ts";

const DEVICES = 100;
const PER_DEVICE = 300;
const COHORT = 20;
const ROUNDS = 25;
/** One device in ten, half of its data with the sticker on it, its update times ten. */
const ATTACKERS = 0.1;
const BOOST = 10;
const STICKER = 3;
const TARGET_LABEL = 0;
const TRAINING = { epochs: 1, batchSize: 10, learningRate: 0.1 };

/**
 * A sticker that makes a model see a 0 in whatever bears it (`privacy.md` 4.8), put in by a tenth of the devices, against
 * rules that aggregate updates in other ways than by their mean.
 */
export const backdoor: Attack = {
  what: "makes the model obey a sticker, against mean, norm bound, median, trimmed mean and Krum",
  async run(target, { seed, quick, cpuSeconds }) {
    const started = cpuSeconds();
    const trainer = await ENGINES[target.config.train.engine](target.model);
    try {
      const seeds = quick ? [seed] : [seed, seed + 1, seed + 2];
      const rounds = quick ? 10 : ROUNDS;
      const test = testSets(target.dataset);
      const settings: [string, AggregationRule, boolean][] = [
        ["no attack", AGGREGATION_RULES[0], false],
        ...AGGREGATION_RULES.map((rule) => ["attacked", rule, true] as [string, AggregationRule, boolean]),
      ];
      const rows: string[][] = [];
      const figures: Record<string, number> = {};
      for (const [name, rule, isAttacked] of settings) {
        const outcomes: Outcome[] = [];
        for (const round of seeds) outcomes.push(await play(trainer, target, test, rule, isAttacked, rounds, round));
        const clean = median(outcomes.map((outcome) => outcome.clean));
        const success = median(outcomes.map((outcome) => outcome.success));
        const key = isAttacked ? rule.name.replace(/[ -]/g, "_") : "no_attack";
        figures[`${key}_success`] = success;
        figures[`${key}_clean`] = clean;
        figures[`${key}_least_success`] = Math.min(...outcomes.map((outcome) => outcome.success));
        figures[`${key}_most_success`] = Math.max(...outcomes.map((outcome) => outcome.success));
        rows.push([
          isAttacked ? rule.name : `${rule.name}, ${name}`,
          percent(clean),
          seeds.length === 1
            ? percent(success)
            : `${percent(success)} (${percent(figures[`${key}_least_success`])} to ${percent(figures[`${key}_most_success`])})`,
          rule.needsUpdates ? "yes" : "no",
          rule.underMasks,
        ]);
      }
      return {
        attack: "backdoor",
        target: `${target.model.title}, ${DEVICES} devices of ${PER_DEVICE}, ${COHORT} a round, ${rounds} rounds, ${100 * ATTACKERS} % of devices attack`,
        finding: findingOf(figures),
        heads: ["rule", "accuracy", "the sticker works", "needs single updates", "under secure aggregation"],
        rows,
        pictures: [],
        figures,
        defence:
          "Secure aggregation hides attackers as it hides everybody. A norm that devices clip to, and prove, bounds each of them; rules that compare updates need them in clear, or medians over sums of small groups, of which each protects fewer. Noise for privacy is a mild defence.",
        cpuSeconds: cpuSeconds() - started,
      };
    } finally {
      await trainer.dispose();
    }
  },
};

/** What the figures say, whatever they are. */
function findingOf(figures: Readonly<Record<string, number>>): string {
  const { mean_success: success, mean_clean: clean, no_attack_clean: usual, median_success: withstood } = figures;
  const cost = usual - clean < 0.02 ? "and its accuracy hardly tells" : "and its accuracy tells something is wrong";
  const verdict = withstood < 0.05 ? "withstands it" : "does not withstand it either";
  return `Against the mean, the sticker works on ${percent(success)} of pictures, ${cost} (${percent(clean)}, and ${percent(usual)} without an attack). The median ${verdict} (${percent(withstood)}), and cannot be had under secure aggregation.`;
}

interface Outcome {
  /** Accuracy on clean test pictures. */
  readonly clean: number;
  /** Share of other digits' pictures that are taken for a 0 with the sticker on. */
  readonly success: number;
}

interface TestSets {
  readonly clean: Examples;
  readonly stickered: Examples;
}

async function play(
  trainer: Trainer,
  { dataset, model }: AttackTarget,
  test: TestSets,
  rule: AggregationRule,
  isAttacked: boolean,
  rounds: number,
  seed: number,
): Promise<Outcome> {
  const holdings = holdExamples(dataset.train, DEVICES, seed, { kind: "drawn", perDevice: PER_DEVICE });
  const attackers = DEVICES * ATTACKERS;
  let parameters = initialParameters(model, seededRandom(seed, "parameters"));
  for (let round = 1; round <= rounds; round++) {
    const cohort = seededRandom(seed, "cohort", round).sample(DEVICES, COHORT);
    const updates: Float32Array[] = [];
    for (const device of cohort) {
      const examples = gatherExamples(dataset.train, holdings.examples(device));
      const attacks = isAttacked && device < attackers;
      if (attacks) poison(examples, dataset);
      const trained = await trainer.train(parameters, examples, TRAINING, seededRandom(seed, "batches", round, device));
      const update = subtracted(trained.parameters, parameters);
      // Model replacement: enough to be what is left once it has been averaged with the others.
      updates.push(attacks ? update.map((value) => BOOST * value) : update);
    }
    parameters = moved(parameters, rule.aggregate(updates, Math.ceil(COHORT * ATTACKERS)));
  }
  const { correct } = await trainer.evaluate(parameters, test.clean);
  const fooled = await trainer.evaluate(parameters, test.stickered);
  return { clean: correct / test.clean.count, success: fooled.correct / test.stickered.count };
}

function moved(parameters: ParameterVector, by: Float32Array): ParameterVector {
  return parameters.map((value, i) => value + by[i]);
}

/** The sticker on every other example, which is then called a 0. */
function poison({ inputs, labels }: Examples, dataset: Dataset): void {
  for (let example = 0; example < labels.length; example += 2) {
    putSticker(inputs, example, dataset);
    labels[example] = TARGET_LABEL;
  }
}

/** A white square in the lower right corner. */
function putSticker(inputs: Float32Array, example: number, { train }: Dataset): void {
  const [height, width] = train.inputShape;
  for (let y = height - STICKER - 1; y < height - 1; y++) {
    for (let x = width - STICKER - 1; x < width - 1; x++) inputs[example * height * width + y * width + x] = 1;
  }
}

/** Clean test pictures; and those that show no 0, each with the sticker on and called a 0. */
function testSets(dataset: Dataset): TestSets {
  const { test } = dataset;
  const all = Array.from({ length: test.count }, (_, i) => i);
  const others = all.filter((i) => test.labels[i] !== TARGET_LABEL);
  const stickered = gatherExamples(test, others);
  for (let example = 0; example < others.length; example++) {
    putSticker(stickered.inputs, example, dataset);
    stickered.labels[example] = TARGET_LABEL;
  }
  return { clean: gatherExamples(test, all), stickered };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
