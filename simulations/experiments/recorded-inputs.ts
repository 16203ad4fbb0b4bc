import { MurmurError } from "../../shared/protocol/errors.ts";
import type { JsonObject, RunMeta } from "../../shared/protocol/run-meta.ts";
import type { Dataset } from "../datasets/index.ts";
import { type ModuleRecord, moduleRecord } from "../own-module.ts";
import type { RunConfig } from "./config.ts";
import { ownModules } from "./config-paths.ts";

/** What a run reads from files, as its stamp remembers it. */
export interface RecordedInputs {
  /** Enough to build the model again, and to use it, without the data. */
  readonly dataset: Pick<Dataset, "name" | "sha256" | "inputShape" | "labels" | "outputs" | "classNames"> & {
    readonly scale: number;
  };
  readonly modules: readonly ModuleRecord[];
}

/** @throws {MurmurError} `module-invalid` when a module is not there any more */
export function recordInputs(config: RunConfig, dataset: Dataset): RecordedInputs {
  const { name, sha256, inputShape, labels, outputs, classNames, train } = dataset;
  const names = classNames === undefined ? {} : { classNames };
  return {
    dataset: { name, sha256, inputShape, labels, outputs, scale: train.scale, ...names },
    modules: ownModules(config).map(({ role, path }) => moduleRecord(role, path)),
  };
}

/**
 * Refuses to go on with, or to verify, a run whose data or modules are not what they were: it would be another experiment.
 * @throws {MurmurError} `input-changed`
 */
export function checkInputs({ stamp }: RunMeta, now: RecordedInputs): void {
  const then = stamp as JsonObject & Partial<RecordedInputs>;
  checkModules(then, now.modules);
  if (then.dataset !== undefined && then.dataset.sha256 !== now.dataset.sha256) {
    throw new MurmurError("input-changed", `The dataset ${now.dataset.name} has changed since the run was started.`);
  }
}

/** @throws {MurmurError} `input-changed` for a module that is not what it was */
export function checkModules(then: Partial<RecordedInputs>, now: readonly ModuleRecord[]): void {
  for (const { role, path, sha256 } of now) {
    const recorded = then.modules?.find((module) => module.role === role);
    if (recorded?.sha256 !== sha256) {
      throw new MurmurError("input-changed", `The ${role} module ${path} has changed since the run was started.`);
    }
  }
}
