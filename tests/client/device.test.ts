import { describe, expect, it } from "vitest";
import type { Device, DeviceEffects, DeviceOptions } from "../../client/device.ts";
import type { TrainingResult } from "../../client/training/trainer.ts";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import { parameterBytes } from "../../shared/learning/parameters.ts";
import {
  decodeAbortCode,
  encodeBegin,
  encodeConfiguration,
  encodeModel,
  encodeReleased,
} from "../../shared/protocol/control-messages.ts";
import { decodeFrame, encodeFrame, FRAME_TYPES } from "../../shared/protocol/frame.ts";
import type { AbortCode } from "../../shared/protocol/reasons.ts";
import { encodeDone } from "../../shared/secagg/messages/exchanges.ts";
import {
  DEADLINES,
  MODEL,
  memoryJournal,
  NOW,
  type Offer,
  type OfferChanges,
  offer,
  testDevice,
} from "./device-fixtures.ts";

type DeviceChanges = Parameters<typeof testDevice>[0];

const types = ({ send }: DeviceEffects) => send.map((frame) => decodeFrame(frame).header.type);

/** The code of the DECLINE or ABORT that the device sent, if it sent just that. */
function codeOf({ send }: DeviceEffects): AbortCode | undefined {
  expect(send).toHaveLength(1);
  const { header, body } = decodeFrame(send[0]);
  expect([FRAME_TYPES.decline, FRAME_TYPES.abort]).toContain(header.type);
  return decodeAbortCode(body);
}

function deliver(device: Device, frames: readonly Uint8Array[]): DeviceEffects {
  let last: DeviceEffects = { send: [] };
  for (const frame of frames) last = device.receive(NOW, frame);
  return last;
}

function trainingResult(changes: Partial<TrainingResult> = {}): TrainingResult {
  const parameters = MODEL.map((value) => value + 0.25);
  return { parameters, examples: 50, lossSum: 12, correct: 40, steps: 5, ...changes };
}

/** A device that has been brought to a phase of an honest round. */
function deviceIn(phase: "receiving" | "training" | "trained" | "exchanging", changes: DeviceChanges = {}, of?: Offer) {
  const offered = of ?? offer();
  const device = testDevice(changes);
  let effects = device.receive(NOW, offered.configure);
  if (phase !== "receiving") effects = deliver(device, offered.model);
  if (phase === "trained" || phase === "exchanging") effects = device.trained(NOW, trainingResult());
  if (phase === "exchanging") effects = device.receive(NOW, offered.begin);
  expect(device.phase).toBe(phase);
  return { device, offered, effects };
}

describe("a round that goes well", () => {
  it("may have any number that 16 bytes hold", () => {
    const inputOf = (roundId: Uint8Array) => {
      let seen: Int32Array | undefined;
      const device = testDevice({ observeInput: (_round, input) => (seen = input) });
      const { configure, model } = offer({ agreement: { roundId } });
      expect(types(deliver(device, [configure, ...model]))).toEqual([FRAME_TYPES.accept]);
      device.trained(NOW, trainingResult());
      return seen;
    };
    expect(inputOf(new Uint8Array(16).fill(0xff))).toBeInstanceOf(Int32Array);
    expect(inputOf(Uint8Array.of(...new Uint8Array(8), 0x80, ...new Uint8Array(7)))).toBeInstanceOf(Int32Array);
  });

  it("takes a device from the model to training, upload and DONE, and it is idle again", () => {
    const journal = memoryJournal();
    const { configure, model, begin, binding } = offer();
    const device = testDevice({ journal });
    expect(device.deadline).toBeUndefined();
    expect(device.receive(NOW, configure)).toEqual({ send: [] });
    const asked = deliver(device, model);
    expect(types(asked)).toEqual([FRAME_TYPES.accept]);
    expect(asked.train).toMatchObject({ model: "softmax", parameters: MODEL, task: { epochs: 1, batchSize: 10 } });
    expect(types(device.trained(NOW, trainingResult()))).toEqual([FRAME_TYPES.trained]);
    expect(journal.entries).toHaveLength(0);
    expect(types(device.receive(NOW, begin))).toEqual([FRAME_TYPES.plainUpdate]);
    expect(journal.entries).toMatchObject([{ roundId: binding.roundId, at: NOW }]);
    const header = { ...decodeFrame(begin).header, type: FRAME_TYPES.done };
    const done = device.receive(NOW, encodeFrame(header, encodeDone({ resultHash: new Uint8Array(32), survivors: 5 })));
    expect(done.outcome).toEqual({ kind: "done", survivors: 5 });
    expect(device.phase).toBe("idle");
    expect(device.deadline).toBeUndefined();
  });

  it("uploads what it trained: the weighted update in levels, then its metrics in their slots", () => {
    const inputs: Int32Array[] = [];
    const device = testDevice({ observeInput: (_round, input) => inputs.push(input) });
    const { configure, model } = offer();
    deliver(device, [configure, ...model]);
    device.trained(
      NOW,
      trainingResult({ parameters: MODEL.map((value, i) => value + [1, -1, 0, 2][i]), examples: 50 }),
    );
    expect([...inputs[0].subarray(0, 4)]).toEqual([127, -127, 0, 127]);
    expect([...inputs[0].subarray(4, 6)]).toEqual([50, 50]);
  });

  it("gives the same vector for the same seed, and another for another", () => {
    const inputOf = (changes: OfferChanges, name: string) => {
      let seen: Int32Array | undefined;
      const device = testDevice({ name, observeInput: (_round, input) => (seen = input) });
      const { configure, model } = offer(changes);
      deliver(device, [configure, ...model]);
      device.trained(NOW, trainingResult({ parameters: MODEL.map((value) => value + 0.1234) }));
      return seen?.join();
    };
    const inputs = ["a", "a", "b", "c", "d", "e"].map((name) => inputOf({}, name));
    expect(inputs[0]).toBe(inputs[1]);
    expect(new Set(inputs).size).toBeGreaterThan(1);
  });
});

describe("before anything is signed, a device declines", () => {
  const hash = (byte: number) => new Uint8Array(32).fill(byte);
  const cases: [string, AbortCode, OfferChanges, DeviceChanges?][] = [
    ["plaintext, where it is not allowed", "policy", {}, { policy: { allowPlaintext: false } }],
    ["a forced graph", "policy", { agreement: { rule: "complete" } }, { policy: { allowForcedGraph: false } }],
    ["another protection level", "policy", { agreement: { level: "active-server" } }],
    ["no authority's level, with one pinned", "policy", {}, { authority: new Uint8Array(32) }],
    ["another corrupted fraction", "policy", { agreement: { corrupted: 0.01 } }],
    ["another drop-out fraction", "policy", { agreement: { dropout: 0.3 } }],
    ["too long a vector", "policy", {}, { policy: { maxDimension: 8 } }],
    ["too wide a ring", "policy", { agreement: { bits: 32 } }, { policy: { maxRingBits: 31 } }],
    ["a model that is not on its list", "policy", {}, { policy: { allowedModels: [hash(9)] } }],
    ["a lower floor for the cohort", "below-floor", { agreement: { floors: { minCohort: 2, minHonest: 2 } } }],
    ["a lower floor of honest inputs", "below-floor", { agreement: { floors: { minCohort: 3, minHonest: 1 } } }],
    ["a cohort that cannot reach its floor", "below-floor", { agreement: { maxCohort: 2 } }],
    ["a ring that could wrap", "ring-too-narrow", { agreement: { bits: 8 } }],
    ["a simulation, where it takes part in none", "policy", {}, { acceptsSimulation: false }],
    ["an unknown transform", "policy", { agreement: { transforms: ["sketch:3", "quantise:8:1"] } }],
    ["no way into the ring", "policy", { agreement: { transforms: ["clip:1"] } }],
    ["a transform behind the ring", "policy", { agreement: { transforms: ["quantise:8:1", "clip:1"] } }],
    ["more levels than the ring was proven for", "policy", { agreement: { transforms: ["quantise:16:1"] } }],
    ["a vector that does not fit the model", "malformed-message", { parameters: 1000 }],
  ];

  it.each(cases)("%s", (_name, code, changes, device) => {
    const subject = testDevice(device);
    const effects = subject.receive(NOW, offer(changes).configure);
    expect(codeOf(effects)).toBe(code);
    expect(effects.outcome).toMatchObject({ kind: "declined", code });
    expect(subject.phase).toBe("idle");
    expect(subject.deadline).toBeUndefined();
    // Declined is over: the model of that round starts nothing.
    expect(deliver(subject, offer(changes).model)).toEqual({ send: [] });
  });

  it("a round that an upload has left for, or an earlier one, and takes the next", () => {
    const { agreement } = offer().configuration;
    const entry = { taskId: agreement.taskId, roundId: agreement.roundId, modelHash: hash(1), at: 0 };
    const journal = () => memoryJournal([entry]);
    const roundOf = (byte: number) => ({ roundId: agreement.roundId.map((value, i) => (i === 15 ? byte : value)) });
    const answer = (byte: number) =>
      testDevice({ journal: journal() }).receive(NOW, offer({ agreement: roundOf(byte) }).configure);
    expect(codeOf(answer(7))).toBe("replayed-round");
    expect(codeOf(answer(6))).toBe("replayed-round");
    expect(answer(8)).toEqual({ send: [] });
  });

  it("a second upload for one model when it pins an authority, and only then", () => {
    const { agreement } = offer().configuration;
    const entry = { taskId: hash(5).slice(16), roundId: agreement.roundId, modelHash: agreement.modelHash, at: 0 };
    const active = { authority: new Uint8Array(32), journal: memoryJournal([entry]) };
    const refused = testDevice(active).receive(NOW, offer({ agreement: { level: "active-server" } }).configure);
    expect(codeOf(refused)).toBe("already-uploaded");
    const curious = testDevice({ journal: memoryJournal([entry]) });
    expect(curious.receive(NOW, offer().configure)).toEqual({ send: [] });
  });

  it("more rounds in a day than it allows, and takes one the day after", () => {
    const entry = (at: number) => ({ taskId: hash(5).slice(16), roundId: hash(5).slice(16), modelHash: hash(1), at });
    const journal = memoryJournal([entry(NOW), entry(NOW)]);
    const device = testDevice({ journal, maxRoundsPerDay: 2 });
    expect(codeOf(device.receive(NOW + 1000, offer().configure))).toBe("policy");
    expect(device.receive(NOW + 86_400_001, offer().configure)).toEqual({ send: [] });
  });

  it("a frame that is not bound to its own agreement", () => {
    const { configuration, binding } = offer();
    const other = { ...binding, context: hash(3) };
    expect(codeOf(testDevice().receive(NOW, encodeConfiguration(other, configuration)))).toBe("context-mismatch");
    const round = { ...binding, roundId: new Uint8Array(16) };
    expect(codeOf(testDevice().receive(NOW, encodeConfiguration(round, configuration)))).toBe("context-mismatch");
  });

  it("a configuration that does not parse", () => {
    const { configure } = offer();
    const { header, body } = decodeFrame(configure);
    expect(codeOf(testDevice().receive(NOW, encodeFrame(header, body.slice(0, -1))))).toBe("malformed-message");
  });
});

describe("the model", () => {
  it("with another hash than was agreed is not trained on", () => {
    const { configure, model } = offer({ sent: MODEL.map((value) => value + 1) });
    const device = testDevice();
    device.receive(NOW, configure);
    const effects = deliver(device, model);
    expect(codeOf(effects)).toBe("model-mismatch");
    expect(effects.train).toBeUndefined();
  });

  it("is whole: no byte short, none over", () => {
    const { binding, configure } = offer();
    for (const bytes of [0, 4, 4 * MODEL.length - 4, 4 * MODEL.length + 4, 1 << 20]) {
      const frame = encodeModel(binding, new Uint8Array(bytes));
      expect(codeOf(deliver(testDevice(), [configure, frame]))).toBe("model-mismatch");
    }
  });

  describe("that is too large to be sent along", () => {
    const large = Float32Array.from({ length: 300_000 }, (_, i) => i);
    const agreement = {
      modelHash: cryptoProvider.sha256(parameterBytes(large)),
      dimension: large.length + offer().configuration.agreement.slots.slots.length,
    };
    const { configure, binding } = offer({ agreement, parameters: large.length });
    const asked = () => {
      const device = testDevice();
      return { device, effects: device.receive(NOW, configure) };
    };

    it("is asked for by its hash, and then trained", () => {
      const { device, effects } = asked();
      expect(effects).toEqual({ send: [], fetch: { hash: agreement.modelHash, bytes: 4 * large.length } });
      expect(device.phase).toBe("fetching");
      const trains = device.fetched(NOW, parameterBytes(large));
      expect(types(trains)).toEqual([FRAME_TYPES.accept]);
      expect(trains.train?.parameters).toEqual(large);
    });

    it("declines when it is another, or shorter, or cannot be had", () => {
      const other = large.map((value) => value + 1);
      expect(codeOf(asked().device.fetched(NOW, parameterBytes(other)))).toBe("model-mismatch");
      expect(codeOf(asked().device.fetched(NOW, parameterBytes(large).subarray(4)))).toBe("model-mismatch");
      expect(codeOf(asked().device.fetchFailed(NOW))).toBe("model-unavailable");
    });

    it("is not taken from a frame, nor after the round is over", () => {
      const { device } = asked();
      expect(codeOf(deliver(device, [encodeModel(binding, new Uint8Array(16))]))).toBe("unexpected-message");
      expect(device.fetched(NOW, parameterBytes(large))).toEqual({ send: [] });
      expect(device.fetchFailed(NOW)).toEqual({ send: [] });
    });

    it("is waited for as long as the configuration is", () => {
      const { device } = asked();
      expect(device.deadline).toBe(NOW + 2 * DEADLINES.configure);
      expect(codeOf(device.tick(NOW + 2 * DEADLINES.configure))).toBe("deadline");
    });
  });
});

describe("training", () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "that gives %s in the update declines, and says only that",
    (value) => {
      const { device } = deviceIn("training");
      const parameters = MODEL.map((_, i) => (i === 2 ? value : 0));
      expect(codeOf(device.trained(NOW, trainingResult({ parameters })))).toBe("non-finite-update");
      expect(device.phase).toBe("idle");
    },
  );

  it("that gives a loss which is no number declines", () => {
    const { device } = deviceIn("training");
    expect(codeOf(device.trained(NOW, trainingResult({ lossSum: Number.NaN })))).toBe("training-failed");
    expect(device.phase).toBe("idle");
  });

  it("that fails declines", () => {
    const { device } = deviceIn("training");
    expect(codeOf(device.trainingFailed(NOW))).toBe("training-failed");
    expect(device.phase).toBe("idle");
  });

  it("that ends after the round did is thrown away", () => {
    const { device, offered } = deviceIn("training");
    device.receive(NOW, encodeReleased(offered.binding, "deadline"));
    expect(device.trained(NOW, trainingResult())).toEqual({ send: [] });
    expect(device.trainingFailed(NOW)).toEqual({ send: [] });
  });
});

const PHASES = ["receiving", "training", "trained", "exchanging"] as const;

describe.each(PHASES)("while %s", (phase) => {
  it("gives up when the coordinator does not go on, not a millisecond early", () => {
    const { device } = deviceIn(phase);
    const deadline = device.deadline ?? Number.NaN;
    expect(deadline).toBeGreaterThanOrEqual(NOW + DEADLINES.exchange);
    expect(device.tick(deadline - 1)).toEqual({ send: [] });
    const effects = device.tick(deadline);
    expect(codeOf(effects)).toBe("deadline");
    expect(device.phase).toBe("idle");
    expect(device.deadline).toBeUndefined();
  });

  it("is idle once it is released, and tells nobody", () => {
    const { device, offered } = deviceIn(phase);
    const effects = device.receive(NOW, encodeReleased(offered.binding, "over-selected"));
    expect(effects).toEqual({ send: [], outcome: { kind: "released", reason: "over-selected" } });
    expect(device.phase).toBe("idle");
  });

  it("forgets the round when its connection closes", () => {
    const { device } = deviceIn(phase);
    expect(device.disconnected().send).toEqual([]);
    expect(device.phase).toBe("idle");
    expect(device.disconnected()).toEqual({ send: [] });
  });

  it("does not read frames of another round", () => {
    const { device, offered } = deviceIn(phase);
    const foreign = { ...offered.binding, roundId: new Uint8Array(16) };
    for (const frame of [encodeBegin(foreign), encodeReleased(foreign, "x"), encodeModel(foreign, new Uint8Array(4))]) {
      expect(device.receive(NOW, frame)).toEqual({ send: [] });
    }
    expect(device.phase).toBe(phase);
  });

  it("takes no second configuration", () => {
    const { device, offered } = deviceIn(phase);
    expect(codeOf(device.receive(NOW, offered.configure))).toBe("unexpected-message");
    expect(device.phase).toBe("idle");
  });

  it("ends the round over bytes that are no frame", () => {
    const { device } = deviceIn(phase);
    expect(codeOf(device.receive(NOW, Uint8Array.of(1, 2, 3)))).toBe("malformed-message");
    expect(device.phase).toBe("idle");
  });

  it.each(["model", "begin", "accept", "done"] as const)("a %s of its own round moves it on or ends it", (name) => {
    const { device, offered } = deviceIn(phase);
    const header = { ...decodeFrame(offered.begin).header, type: FRAME_TYPES[name] };
    const expected =
      (phase === "receiving" && name === "model") ||
      (phase === "trained" && name === "begin") ||
      (phase === "exchanging" && name === "done");
    const effects = device.receive(NOW, encodeFrame(header, new Uint8Array(0)));
    if (!expected) expect(codeOf(effects)).toBe("unexpected-message");
    else if (name === "begin") expect(types(effects)).toEqual([FRAME_TYPES.plainUpdate]);
    else expect(codeOf(effects)).toBe(name === "model" ? "model-mismatch" : "malformed-message");
  });

  it("takes no frame of another agreement", () => {
    const { device, offered } = deviceIn(phase);
    const other = { ...offered.binding, context: new Uint8Array(32) };
    const frame = phase === "exchanging" ? doneOf(other) : encodeBegin(other);
    expect(codeOf(device.receive(NOW, frame))).toBe("context-mismatch");
  });
});

function doneOf(binding: Offer["binding"]): Uint8Array {
  const header = { ...decodeFrame(encodeBegin(binding)).header, type: FRAME_TYPES.done };
  return encodeFrame(header, encodeDone({ resultHash: new Uint8Array(32), survivors: 5 }));
}

describe("an idle device", () => {
  it("answers nothing but a configuration", () => {
    const device = testDevice();
    const { model, begin, binding } = offer();
    for (const frame of [...model, begin, encodeReleased(binding, "x"), Uint8Array.of(1), new Uint8Array(0)]) {
      expect(device.receive(NOW, frame)).toEqual({ send: [] });
    }
    expect(device.tick(NOW + 1e12)).toEqual({ send: [] });
    expect(device.phase).toBe("idle");
  });

  it("can take part in the next round after any end", () => {
    const { device, offered } = deviceIn("trained");
    device.receive(NOW, encodeReleased(offered.binding, "stopped"));
    expect(types(deliver(device, [offered.configure, ...offered.model]))).toEqual([FRAME_TYPES.accept]);
  });
});

describe("the journal of uploads", () => {
  it("has the entry before the upload leaves", () => {
    const order: string[] = [];
    const journal: DeviceOptions["journal"] = { ...memoryJournal(), record: () => void order.push("recorded") };
    const { device, offered } = deviceIn("trained", { journal });
    const { send } = device.receive(NOW, offered.begin);
    if (send.length > 0) order.push("sent");
    expect(order).toEqual(["recorded", "sent"]);
  });

  it("that cannot be written keeps the upload in, and the round cannot be tried again", () => {
    const journal: DeviceOptions["journal"] = {
      ...memoryJournal(),
      record: () => {
        throw new Error("the disk is full");
      },
    };
    const { device, offered } = deviceIn("trained", { journal });
    expect(() => device.receive(NOW, offered.begin)).toThrow("the disk is full");
    const sent = [offered.begin, offered.begin].flatMap((frame) => [...device.receive(NOW, frame).send]);
    expect(sent.map((frame) => decodeFrame(frame).header.type)).not.toContain(FRAME_TYPES.plainUpdate);
  });
});
