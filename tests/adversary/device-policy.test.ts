import { describe, expect, test } from "vitest";
import { createDevice, type Device, type DeviceEffects, type DeviceOptions } from "../../client/device.ts";
import type { UploadEntry } from "../../client/journal.ts";
import type { DevicePolicy } from "../../client/secagg/policy.ts";
import {
  type Configuration,
  decodeAbortCode,
  encodeBegin,
  encodeConfiguration,
  encodeModel,
} from "../../shared/protocol/control-messages.ts";
import { decodeFrame, encodeFrame, FRAME_TYPES } from "../../shared/protocol/frame.ts";
import { contextHash, type SecAggAgreement } from "../../shared/secagg/agreement.ts";
import { createSlotTable } from "../../shared/secagg/slots.ts";
import { volatileMemory } from "../client/device-fixtures.ts";
import { clientOf, deviceName, testAgreement, testPolicy } from "../secagg/session-harness.ts";
import { attackedSession, bodyOf, ending, isType, quickProvider } from "./fixture.ts";

describe("an agreement against the device's policy is refused before a key leaves", () => {
  const refused: [string, string, Partial<SecAggAgreement>, Partial<DevicePolicy>][] = [
    ["no masks", "policy", { mode: "plaintext" }, { allowPlaintext: false }],
    ["a forced graph", "policy", { rule: "complete" }, { allowForcedGraph: false }],
    ["a level that it has no authority for", "policy", { level: "active-server" }, {}],
    ["another corrupted fraction", "policy", { corrupted: 0 }, {}],
    ["another drop-out fraction", "policy", { dropout: 0 }, {}],
    ["more coordinates than it masks", "policy", { dimension: 101 }, { maxDimension: 100 }],
    ["a wider ring than it allows", "policy", { bits: 25 }, { maxRingBits: 24 }],
    ["a model that is not on its list", "policy", {}, { allowedModels: [new Uint8Array(32)] }],
    ["a cohort of one", "below-floor", { floors: { minCohort: 1, minHonest: 2 } }, {}],
    ["a sum of one honest input", "below-floor", { floors: { minCohort: 3, minHonest: 1 } }, {}],
    ["a cohort that cannot reach its floor", "below-floor", { maxCohort: 2 }, {}],
    // 128 · 127 = 16256 needs 15 bits.
    ["a ring in which the sum wraps", "ring-too-narrow", { bits: 14 }, {}],
    ["a ring in which a metric wraps", "ring-too-narrow", { slots: bigSlot() }, {}],
    ["a ring in which the noise wraps", "ring-too-narrow", { bits: 15, noiseShare: 200 }, {}],
    [
      "a ring that is too narrow for the noise of sums that are meant mod it",
      "ring-too-narrow",
      { bits: 15, noiseShare: 20_000, transforms: ["rotate:4:1:100:15:1"] },
      {},
    ],
  ];
  test.each(refused)("%s: %s", (_, code, agreement, policy) => {
    const server = { authority: quickProvider.generateEd25519().publicKey };
    const session = attackedSession({ size: 1, agreement, policy, server });
    const frames = clientOf(session, deviceName(0)).start();
    expect(frames.map((frame) => decodeAbortCode(bodyOf(frame)))).toEqual([code]);
    expect(ending(session, 0)).toBe(code);
  });

  test("a coordinator of the lower level cannot be joined by a device that pins an authority", () => {
    const session = attackedSession({ size: 1, certified: true, agreement: { level: "curious-server" } });
    expect(isType(clientOf(session, deviceName(0)).start()[0], "abort")).toBe(true);
  });

  test("its own model, its own ring: accepted", () => {
    const session = attackedSession({
      size: 1,
      agreement: { bits: 15, noiseShare: 1 },
      policy: { allowedModels: [new Uint8Array(32), testAgreement().modelHash], maxRingBits: 15 },
    });
    expect(isType(clientOf(session, deviceName(0)).start()[0], "advertise")).toBe(true);
  });

  function bigSlot() {
    return createSlotTable([{ name: "examples", max: 2 ** 13, scale: 1, excess: "clamp" }]);
  }
});

describe("a configuration that the device declines", () => {
  const NOW = 1_800_000_000_000;
  const DAY = 86_400_000;
  const taskId = testAgreement().taskId;
  const roundId = (number: number) => new Uint8Array(16).fill(number);
  const model = new Uint8Array(16).fill(1);
  const modelHash = quickProvider.sha256(model);

  const declined: [string, string, Offer][] = [
    ["a round that it has uploaded for", "replayed-round", { uploads: [{ roundId: roundId(7) }] }],
    ["a round before the last it uploaded for", "replayed-round", { uploads: [{ roundId: roundId(8) }] }],
    [
      "at active-server, a model that it has uploaded for",
      "already-uploaded",
      { certified: true, uploads: [{ modelHash, taskId: new Uint8Array(16) }] },
    ],
    ["one round more than it does in a day", "policy", { rounds: 1, uploads: [{ taskId: new Uint8Array(16) }] }],
    ["a simulation", "policy", { configuration: { simulationSeed: 5 } }],
    [
      "something to keep between rounds, when it keeps nothing",
      "policy",
      { configuration: { procedure: { kind: "scaffold", lost: [] } } },
    ],
    [
      "a model and a control variate of different lengths",
      "malformed-message",
      {
        keeps: true,
        configuration: { procedure: { kind: "scaffold", lost: [] }, parameters: 3 },
        agreement: { dimension: 3, modelHash: quickProvider.sha256(model.subarray(4)) },
        sent: model.slice(4),
      },
    ],
    ["floors below its own", "below-floor", { agreement: { floors: { minCohort: 1, minHonest: 1 } } }],
    [
      "rotated coordinates that are not the model's",
      "malformed-message",
      { agreement: { dimension: 8, bits: 16, transforms: ["rotate:5:1:100:16:1"] } },
    ],
    [
      "a model of fewer parameters than were announced, under its own hash",
      "model-mismatch",
      { agreement: { modelHash: quickProvider.sha256(model.subarray(4)) }, sent: model.slice(4) },
    ],
    ["a transform that it does not know", "policy", { agreement: { transforms: ["sharpen:1"] } }],
    [
      "an agreement that the frame is not bound to",
      "context-mismatch",
      { binding: new Uint8Array(32), withhold: true },
    ],
    ["an agreement for another round than the frame's", "context-mismatch", { frameRound: roundId(9) }],
    ["a vector that the model does not fill", "malformed-message", { agreement: { dimension: 5 } }],
    ["another model than the one agreed", "model-mismatch", { sent: new Uint8Array(16) }],
    ["more of the model than was announced", "model-mismatch", { sent: new Uint8Array(20).fill(1) }],
    ["less of the model than was announced", "model-mismatch", { sent: new Uint8Array(12).fill(1) }],
    ["a configuration that does not parse", "malformed-message", { truncated: true }],
  ];
  test.each(declined)("%s: %s", (_, code, offer) => {
    const { effects, sent } = offered(offer);
    expect(effects.outcome).toMatchObject({ kind: "declined", code });
    expect(effects.train).toBeUndefined();
    expect(sent.map((frame) => [decodeFrame(frame).header.type, decodeAbortCode(bodyOf(frame))])).toEqual([
      [FRAME_TYPES.decline, code],
    ]);
  });

  test.each<[string, Offer]>([
    ["a later round of the task", { uploads: [{ roundId: roundId(6) }] }],
    ["the same round of another task", { uploads: [{ taskId: new Uint8Array(16) }] }],
    ["at curious-server, a model that it has uploaded for", { uploads: [{ modelHash, roundId: roundId(6) }] }],
    ["a round of yesterday is not of today", { rounds: 1, uploads: [{ roundId: roundId(6), at: NOW - DAY - 1 }] }],
  ])("%s: it trains", (_, offer) => {
    expect(offered(offer).effects.train?.parameters).toHaveLength(4);
  });

  test("a second configuration during a round, a step skipped, a frame of another agreement: each ends the round", () => {
    for (const [code, frame] of [
      ["unexpected-message", configured({}).frames[0]],
      ["unexpected-message", encodeBegin({ roundId: roundId(7), context: configured({}).context })],
      ["context-mismatch", encodeBegin({ roundId: roundId(7), context: new Uint8Array(32) })],
      ["malformed-message", new Uint8Array(3)],
    ] as const) {
      const { device } = offered({ withhold: true });
      expect(device.phase).toBe("receiving");
      expect(device.receive(NOW, frame).outcome).toMatchObject({ kind: "declined", code });
      expect(device.phase).toBe("idle");
    }
  });

  test("a frame of a round that it is not in is not read", () => {
    const { device } = offered({ withhold: true });
    const frame = encodeBegin({ roundId: roundId(3), context: new Uint8Array(32) });
    expect(device.receive(NOW, frame)).toEqual({ send: [] });
    expect(device.phase).toBe("receiving");
  });

  test("a coordinator that goes silent: deadline, with nothing kept", () => {
    const { device } = offered({ withhold: true });
    expect(device.tick(device.deadline! - 1)).toEqual({ send: [] });
    expect(device.tick(device.deadline!).outcome).toMatchObject({ kind: "declined", code: "deadline" });
    expect(device.deadline).toBeUndefined();
  });

  test("training that fails, or gives what cannot be encoded, is declined with the reason", () => {
    const slots = createSlotTable([{ name: "examples", max: 10, scale: 1, excess: "error" }]);
    const ends: [string, (device: Device, effects: DeviceEffects) => DeviceEffects][] = [
      ["training-failed", (device) => device.trainingFailed(NOW)],
      ["training-failed", (device, effects) => device.trained(NOW, { ...trainedResult(effects), examples: 11 })],
      [
        "non-finite-update",
        (device, effects) =>
          device.trained(NOW, { ...trainedResult(effects), parameters: new Float32Array(4).fill(Number.NaN) }),
      ],
    ];
    for (const [code, end] of ends) {
      const { device, effects } = offered({ agreement: { slots, dimension: 5 } });
      expect(end(device, effects).outcome).toMatchObject({ kind: "declined", code });
    }
  });

  test("during the exchanges: silence and a released round wipe the session", () => {
    for (const end of ["deadline", "released"] as const) {
      const { device, effects, context } = offered({});
      device.trained(NOW, trainedResult(effects));
      expect(isType(device.receive(NOW, encodeBegin({ roundId: roundId(7), context })).send[0], "advertise")).toBe(
        true,
      );
      expect(device.phase).toBe("exchanging");
      const ended = end === "deadline" ? device.tick(device.deadline!) : device.disconnected();
      expect(ended.outcome?.kind).toBe(end === "deadline" ? "aborted" : "released");
      expect(device.phase).toBe("idle");
    }
  });

  interface Offer {
    readonly agreement?: Partial<SecAggAgreement>;
    readonly configuration?: Partial<Configuration>;
    readonly certified?: boolean;
    readonly uploads?: Partial<UploadEntry>[];
    readonly rounds?: number;
    /** It keeps what it is told to between rounds. */
    readonly keeps?: boolean;
    readonly binding?: Uint8Array;
    readonly frameRound?: Uint8Array;
    readonly sent?: Uint8Array;
    readonly reversed?: boolean;
    readonly truncated?: boolean;
    /** The model is not sent. */
    readonly withhold?: boolean;
  }

  function configured(offer: Offer): { frames: Uint8Array[]; context: Uint8Array } {
    const agreement = testAgreement({
      roundId: roundId(7),
      modelHash,
      dimension: 4,
      transforms: ["quantise:8:1"],
      ...(offer.certified ? { level: "active-server" as const } : {}),
      ...offer.agreement,
    });
    const context = contextHash(quickProvider, agreement);
    const binding = { roundId: offer.frameRound ?? agreement.roundId, context: offer.binding ?? context };
    const frame = encodeConfiguration(binding, {
      agreement,
      model: "softmax",
      parameters: 4,
      training: { epochs: 1, batchSize: 1, learningRate: 0.1 },
      deadlines: { configure: 1000, train: 1000, exchange: 1000 },
      ...offer.configuration,
    });
    const { header, body } = decodeFrame(frame);
    return {
      context,
      frames: [
        offer.truncated ? encodeFrame(header, body.subarray(0, -1)) : frame,
        ...(offer.withhold ? [] : [encodeModel(binding, offer.sent ?? model)]),
      ],
    };
  }

  function offered(offer: Offer) {
    const uploads = (offer.uploads ?? []).map((entry) => ({
      taskId,
      roundId: roundId(7),
      modelHash,
      at: NOW,
      ...entry,
    }));
    const identity = quickProvider.generateEd25519();
    const options: DeviceOptions = {
      name: "d",
      provider: quickProvider,
      identity,
      policy: testPolicy(),
      acceptsSimulation: false,
      maxRoundsPerDay: offer.rounds ?? 10,
      ...(offer.certified ? { authority: identity.publicKey } : {}),
      ...(offer.keeps ? { memory: volatileMemory() } : {}),
      journal: {
        latestRound: (task) =>
          uploads.filter((entry) => String(entry.taskId) === String(task)).map((entry) => entry.roundId)[0],
        hasUploaded: (hash) => uploads.some((entry) => String(entry.modelHash) === String(hash)),
        uploadsSince: (since) => uploads.filter(({ at }) => at >= since).length,
        record() {},
      },
    };
    const device = createDevice(options);
    const { frames, context } = configured(offer);
    const sent: Uint8Array[] = [];
    let effects: DeviceEffects = { send: [] };
    for (const frame of frames) {
      effects = device.receive(NOW, frame);
      sent.push(...effects.send);
      if (effects.outcome !== undefined) break;
    }
    return { device, effects, sent, context };
  }

  function trainedResult(effects: DeviceEffects) {
    const { parameters } = effects.train!;
    return { parameters: parameters.map((value) => value + 0.5), examples: 1, lossSum: 1, correct: 1, steps: 1 };
  }
});
