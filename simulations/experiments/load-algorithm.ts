import {
  type Algorithm,
  type AlgorithmState,
  broadcastParameters,
} from "../../shared/learning/algorithms/algorithm.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { callModule, importModule, moduleFailed, moduleInvalid } from "../own-module.ts";
import type { RunConfig } from "./config.ts";
import { configuredAlgorithm } from "./configured-algorithm.ts";

/**
 * The algorithm that a configuration names: one of the program's own, or that of the module at a path.
 * @param initial the parameters before the first round, on which a module's algorithm is tried
 * @throws {MurmurError} `module-invalid`
 */
export async function loadAlgorithm({ algorithm, fleet }: RunConfig, initial: ParameterVector): Promise<Algorithm> {
  if (algorithm.kind !== "module") return configuredAlgorithm(algorithm, fleet.devices);
  const { path, options } = algorithm;
  const exported = await importModule("algorithm", path);
  const described: unknown =
    typeof exported === "function"
      ? await callModule("algorithm", path, () => exported({ options, devices: fleet.devices }))
      : exported;
  const own = guarded(path, asAlgorithm(path, described));
  tryAlgorithm(path, own, initial);
  return own;
}

/** What a module's algorithm is before it has been tried: functions, whatever they do. */
interface Untried {
  readonly name: string;
  readonly init: (parameters: ParameterVector) => unknown;
  readonly next: (state: unknown, aggregate: Parameters<Algorithm["next"]>[1]) => unknown;
  readonly encode: (state: unknown) => unknown;
  readonly decode: (parameters: ParameterVector, bytes: Uint8Array) => unknown;
}

function asAlgorithm(path: string, described: unknown): Untried {
  if (typeof described !== "object" || described === null) {
    throw moduleInvalid("algorithm", path, "is neither an algorithm nor a function that returns one.");
  }
  const given = described as Record<string, unknown>;
  const method = (name: "init" | "next" | "encode" | "decode") => {
    const value = given[name];
    if (typeof value !== "function") throw moduleInvalid("algorithm", path, `has no function ${name}.`);
    return (...parameters: readonly unknown[]): unknown => value.apply(described, parameters);
  };
  return {
    name: typeof given.name === "string" && given.name !== "" ? given.name : "own algorithm",
    init: method("init"),
    next: method("next"),
    encode: method("encode"),
    decode: method("decode"),
  };
}

/** The same, where whatever it throws, and whatever it returns that is no state, is an error of the module's. */
function guarded(path: string, own: Untried): Algorithm {
  function call(of: string, body: () => unknown): unknown {
    try {
      return body();
    } catch (cause) {
      if (cause instanceof MurmurError) throw cause;
      throw moduleFailed("algorithm", path, `${of} failed`, cause);
    }
  }
  function state(of: string, length: number, body: () => unknown): AlgorithmState {
    const result = call(of, body);
    const parameters = (result as Partial<AlgorithmState> | null | undefined)?.parameters;
    if (parameters instanceof Float32Array && parameters.length === length) return result as AlgorithmState;
    throw moduleInvalid("algorithm", path, `returned from ${of} no state with ${length} parameters, a Float32Array.`);
  }
  return {
    name: own.name,
    init: (parameters) => state("init", parameters.length, () => own.init(parameters)),
    broadcast: broadcastParameters,
    next: (before, aggregate) => state("next", before.parameters.length, () => own.next(before, aggregate)),
    encode(before) {
      const bytes = call("encode", () => own.encode(before));
      if (bytes instanceof Uint8Array) return bytes;
      throw moduleInvalid("algorithm", path, "returned from encode no Uint8Array.");
    },
    decode: (parameters, bytes) => state("decode", parameters.length, () => own.decode(parameters, bytes)),
  };
}

/**
 * A round that changes nothing, and a checkpoint of it: what would fail after an hour of training fails now. A state that
 * is changed in place, or does not survive its checkpoint, would make a run that cannot be resumed.
 */
function tryAlgorithm(path: string, own: Algorithm, initial: ParameterVector): void {
  const before = own.init(initial.slice());
  const broadcast = before.parameters.slice();
  const after = own.next(before, { delta: new Float32Array(initial.length), weight: 1, survivors: 1 });
  if (!sameBytes(bytesOf(before.parameters), bytesOf(broadcast))) {
    throw moduleInvalid("algorithm", path, "changes the parameters of a state in next: return a new Float32Array.");
  }
  const encoded = own.encode(after);
  const again = own.encode(own.decode(after.parameters, encoded.slice()));
  if (!sameBytes(encoded, again)) {
    throw moduleInvalid("algorithm", path, "decodes another state than it encoded, so that no run could be resumed.");
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
