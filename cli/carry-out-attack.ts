import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { openRunReader } from "../server/store/run-reader.ts";
import type { AttackResult } from "../shared/attacks/attack-result.ts";
import { initialParameters } from "../shared/learning/models/model-parameters.ts";
import { MurmurError } from "../shared/protocol/errors.ts";
import { seededRandom } from "../shared/random/seeded-random.ts";
import type { AttackTarget } from "../simulations/attacks/attack.ts";
import { ATTACKS, type AttackName } from "../simulations/attacks/index.ts";
import { loadDataset } from "../simulations/datasets/index.ts";
import { datasetTitle } from "../simulations/datasets/reference.ts";
import { type RunConfig, runConfigSchema } from "../simulations/experiments/config.ts";
import { loadModel } from "../simulations/load-model.ts";
import { suggest } from "../simulations/suggestions.ts";
import { attackFigures, renderAttackHtml } from "../web/reports/attack-report.tsx";
import { loadConfiguration } from "./configuration.ts";
import type { Invocation } from "./invocation.ts";
import { countFlag } from "./number-flags.ts";
import { findRun, readRun, shownPath } from "./run-folders.ts";
import { attackLines } from "./views/attack-lines.ts";

export interface AttackCommand {
  readonly name: string;
  readonly target: string | undefined;
  readonly devices: unknown;
  readonly noise: unknown;
  readonly quick: boolean;
}

/** Carries out an attack, and writes what it came to. */
export async function carryOutAttack(invocation: Invocation, command: AttackCommand): Promise<void> {
  const { edge, flags } = invocation;
  const name = attackName(command.name);
  const { config, parameters, origin } = targetOf(invocation, command.target);
  const devices =
    command.devices === undefined ? undefined : countFlag("--devices", String(command.devices), 1, 10_000);
  const noise = command.noise === undefined ? undefined : noiseFlag(String(command.noise));
  const dataset = await loadDataset(config.task.dataset, config.seed);
  const model = await loadModel(config.task.model, dataset);
  const target: AttackTarget = {
    config,
    dataset,
    model,
    parameters: parameters ?? initialParameters(model, seededRandom(config.seed, "parameters")),
    origin,
  };
  const folder =
    flags.out === "runs" ? join(resolve(edge.cwd, flags.out), `attack-${name}`) : resolve(edge.cwd, flags.out);
  if (flags.dryRun) {
    invocation.result(
      { attack: name, target: origin, folder },
      () => `${ATTACKS[name].what}: ${origin}, into ${shownPath(edge.cwd, folder)}`,
    );
    return;
  }
  const result = await ATTACKS[name].run(target, {
    seed: config.seed,
    quick: command.quick,
    ...(devices === undefined ? {} : { devices }),
    ...(noise === undefined ? {} : { noise }),
    cpuSeconds,
  });
  write(folder, result);
  invocation.result({ ok: true, folder: shownPath(edge.cwd, folder), ...attackFigures(result) }, (paint) =>
    attackLines(result, { paint, folder: shownPath(edge.cwd, folder), pictures: edge.stdout.isTTY }).join("\n"),
  );
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function attackName(text: string): AttackName {
  const names = Object.keys(ATTACKS) as AttackName[];
  const known = names.find((name) => name === text);
  if (known !== undefined) return known;
  const near = suggest(text, names);
  throw new MurmurError("usage", `There is no attack "${text}".`, {
    hint:
      near === undefined ? `There are ${names.join(", ")}.` : `Did you mean ${near}? There are ${names.join(", ")}.`,
  });
}

function noiseFlag(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && Number.isFinite(value)) return value;
  throw new MurmurError("usage", `--noise wants a number above 0, in clip norms; got "${text}".`);
}

interface Named {
  readonly config: RunConfig;
  /** Absent: the model before its first round. */
  readonly parameters?: Float32Array;
  readonly origin: string;
}

/** A run by its id or folder, a configuration by its file, or the default. */
function targetOf(invocation: Invocation, name: string | undefined): Named {
  const isFile = name === undefined || /\.ya?ml$/.test(name);
  if (
    isFile ||
    (existsSync(resolve(invocation.edge.cwd, name)) && !existsSync(join(resolve(invocation.edge.cwd, name), "run.db")))
  ) {
    const { config } = loadConfiguration(invocation.sources(name));
    const { model, dataset } = config.task;
    const origin =
      name === undefined ? `the initial ${model} on ${datasetTitle(dataset)}` : `the initial model of ${name}`;
    return { config, origin };
  }
  const folder = findRun(invocation, name);
  const { meta, rounds } = readRun(folder);
  const reader = openRunReader(folder);
  try {
    const checkpoint = reader.latestCheckpoint();
    const committed = rounds.filter(({ outcome }) => outcome === "committed").length;
    return {
      config: runConfigSchema.parse(meta.config),
      ...(checkpoint === undefined ? {} : { parameters: checkpoint.parameters }),
      origin: `run ${meta.run} after ${committed} rounds`,
    };
  } finally {
    reader.close();
  }
}

function write(folder: string, result: AttackResult): void {
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "attack.json"), `${JSON.stringify(attackFigures(result), null, 2)}\n`);
    writeFileSync(join(folder, "attack.html"), renderAttackHtml(result));
  } catch (cause) {
    throw new MurmurError("environment", `${folder} cannot be written: ${(cause as Error).message}.`, {
      cause,
      hint: "Choose another folder with --out.",
    });
  }
}
