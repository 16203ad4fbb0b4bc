import { describe, expect, it } from "vitest";
import type { Device, DeviceEffects } from "../../client/device.ts";
import type { DeviceMemory } from "../../client/memory.ts";
import { encodeRoundId } from "../../server/task.ts";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import { parameterBytes } from "../../shared/learning/parameters.ts";
import { decodeAbortCode, encodeBegin, encodeReleased } from "../../shared/protocol/control-messages.ts";
import { decodeFrame, encodeFrame, FRAME_TYPES } from "../../shared/protocol/frame.ts";
import { encodeDone } from "../../shared/secagg/messages/exchanges.ts";
import { MODEL, NOW, type Offer, offer, testDevice, volatileMemory } from "./device-fixtures.ts";

/** x ‖ c: half of the model's four values each. */
const [X, C] = [MODEL.slice(0, 2), MODEL.slice(2)];
const LEARNING_RATE = 0.1;
const STEPS = 5;

/** A round of SCAFFOLD, after the loss of these. */
function scaffoldOffer(round: number, ...lost: readonly number[]): Offer {
  return offer({
    agreement: { roundId: encodeRoundId(round) },
    procedure: { kind: "scaffold", lost: lost.map(encodeRoundId) },
    training: { epochs: 1, batchSize: 10, learningRate: LEARNING_RATE },
  });
}

function configured(device: Device, { configure, model }: Offer): DeviceEffects {
  device.receive(NOW, configure);
  return device.receive(NOW, model[0]);
}

/** Trains to y, and uploads. */
function uploaded(device: Device, offered: Offer, y: Float32Array): void {
  configured(device, offered);
  device.trained(NOW, { parameters: y.slice(), examples: 50, lossSum: 1, correct: 1, steps: STEPS });
  device.receive(NOW, offered.begin);
  expect(device.phase).toBe("exchanging");
}

function doneOf(binding: Offer["binding"]): Uint8Array {
  const header = { ...decodeFrame(encodeBegin(binding)).header, type: FRAME_TYPES.done };
  return encodeFrame(header, encodeDone({ resultHash: new Uint8Array(32), survivors: 5 }));
}

/** c_i − c + (x − y) / (K η), for a device that had c_i. */
const controlAfter = (before: readonly number[], y: Float32Array) =>
  Float32Array.from(X, (x, j) => before[j] - C[j] + (x - y[j]) / (STEPS * LEARNING_RATE));

const Y = Float32Array.of(0.25, 0.5);
const corrections = (effects: DeviceEffects) => [...(effects.train?.task.correction ?? [])];

describe("a device in a round of SCAFFOLD", () => {
  it("trains x with c − c_i, c_i being zero at first", () => {
    const device = testDevice({ memory: volatileMemory() });
    const { train } = configured(device, scaffoldOffer(1));
    expect(train).toMatchObject({ parameters: X, task: { correction: C, learningRate: LEARNING_RATE } });
  });

  it("answers with the changes of both, in the one vector that is summed", () => {
    const inputs: Int32Array[] = [];
    const device = testDevice({ memory: volatileMemory(), observeInput: (_round, input) => inputs.push(input) });
    uploaded(device, scaffoldOffer(1), Y);
    // Levels of 1/127, rounded up or down; 50 examples of 50 weigh 1. Both changes of c_i lie beyond ±1, and are clamped.
    const deltas = [Y[0] - X[0], Y[1] - X[1]].map((value) => value * 127);
    deltas.forEach((level, j) => {
      expect(Math.abs(inputs[0][j] - level)).toBeLessThan(1);
    });
    expect(inputs[0]).toHaveLength(4 + 5);
  });

  it("keeps its new control variate when DONE has come, and trains the next round with it", () => {
    const device = testDevice({ memory: volatileMemory() });
    const first = scaffoldOffer(1);
    uploaded(device, first, Y);
    device.receive(NOW, doneOf(first.binding));
    const after = controlAfter([0, 0], Y);
    const next = configured(device, scaffoldOffer(2));
    expect(corrections(next)).toEqual([...C].map((c, j) => Math.fround(c - after[j])));
  });

  it.each<[string, (device: Device, offered: Offer) => unknown]>([
    ["released", (device, { binding }) => device.receive(NOW, encodeReleased(binding, "below-threshold"))],
    ["cut off", (device) => device.disconnected()],
    ["out of patience", (device) => device.tick(NOW + 1e9)],
  ])("that was %s after its upload keeps the old one", (_, end) => {
    const device = testDevice({ memory: volatileMemory() });
    const first = scaffoldOffer(1);
    uploaded(device, first, Y);
    device.receive(NOW, doneOf(first.binding));
    const second = scaffoldOffer(2);
    uploaded(device, second, Float32Array.of(-1, 1));
    end(device, second);
    expect(device.phase).toBe("idle");
    const after = controlAfter([0, 0], Y);
    const third = configured(device, scaffoldOffer(3));
    expect(corrections(third)).toEqual([...C].map((c, j) => Math.fround(c - after[j])));
  });

  it("goes back to the old one when the coordinator lost the round that it had seen to its end", () => {
    const device = testDevice({ memory: volatileMemory() });
    const [first, second] = [scaffoldOffer(1), scaffoldOffer(2)];
    uploaded(device, first, Y);
    device.receive(NOW, doneOf(first.binding));
    uploaded(device, second, Float32Array.of(-1, 1));
    device.receive(NOW, doneOf(second.binding));
    // It was left out of round 3, and round 4 says that round 2 was lost.
    const after = controlAfter([0, 0], Y);
    const third = configured(device, scaffoldOffer(4, 2));
    expect(corrections(third)).toEqual([...C].map((c, j) => Math.fround(c - after[j])));
  });

  it("makes it durable before it says that the round is done", () => {
    const kept: [Uint8Array, Float32Array][] = [];
    const memory: DeviceMemory = {
      recall: () => undefined,
      keep(_task, roundId, vector) {
        kept.push([roundId, vector]);
        throw new Error("no space left");
      },
    };
    const device = testDevice({ memory });
    const first = scaffoldOffer(1);
    uploaded(device, first, Y);
    expect(kept).toEqual([]);
    expect(() => device.receive(NOW, doneOf(first.binding))).toThrow(/no space left/);
    expect(kept).toEqual([[encodeRoundId(1), controlAfter([0, 0], Y)]]);
  });

  it("declines where it keeps nothing between rounds, and what is no x and c", () => {
    const { configure } = scaffoldOffer(1);
    const { send } = testDevice().receive(NOW, configure);
    expect(decodeAbortCode(decodeFrame(send[0]).body)).toBe("policy");

    const odd = Float32Array.of(1, 2, 3);
    const changed = offer({
      procedure: { kind: "scaffold", lost: [] },
      parameters: 3,
      agreement: { modelHash: cryptoProvider.sha256(parameterBytes(odd)), dimension: 3 + 5 },
      sent: odd,
    });
    const refused = configured(testDevice({ memory: volatileMemory() }), changed);
    expect(decodeAbortCode(decodeFrame(refused.send[0]).body)).toBe("malformed-message");
  });

  it("asks its memory for nothing in any other round", () => {
    const memory: DeviceMemory = {
      recall() {
        throw new Error("asked");
      },
      keep() {
        throw new Error("kept");
      },
    };
    const device = testDevice({ memory });
    const plain = offer();
    configured(device, plain);
    device.trained(NOW, {
      parameters: MODEL.map((value) => value + 0.25),
      examples: 50,
      lossSum: 1,
      correct: 1,
      steps: 5,
    });
    device.receive(NOW, plain.begin);
    expect(device.receive(NOW, doneOf(plain.binding)).outcome).toEqual({ kind: "done", survivors: 5 });
  });
});
