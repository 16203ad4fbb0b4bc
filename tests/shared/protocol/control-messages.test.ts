import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeRoundId } from "../../../server/task.ts";
import type { LocalTraining } from "../../../shared/learning/local-training.ts";
import {
  type Configuration,
  decodeAbortCode,
  decodeConfiguration,
  decodeReleased,
  encodeAccept,
  encodeBegin,
  encodeConfiguration,
  encodeDecline,
  encodeModel,
  encodeReleased,
  encodeTrained,
} from "../../../shared/protocol/control-messages.ts";
import { decodeFrame, FRAME_TYPES, FrameError, NO_INDEX } from "../../../shared/protocol/frame.ts";
import { ABORT_CODES, type AbortCode } from "../../../shared/protocol/reasons.ts";
import { offer } from "../../client/device-fixtures.ts";

const { binding, configuration, configure } = offer();
const BASE: LocalTraining = { epochs: 2, batchSize: 5, learningRate: 0.25 };
const bodyOf = (frame: Uint8Array) => decodeFrame(frame).body;

describe("CONFIGURE", () => {
  it("reads as it was written, as a simulation or not", () => {
    expect(decodeConfiguration(bodyOf(configure))).toEqual(configuration);
    const { simulationSeed: _, ...real } = configuration;
    expect(decodeConfiguration(bodyOf(encodeConfiguration(binding, real)))).toEqual(real);
  });

  it.each<[string, LocalTraining]>([
    ["plain SGD", BASE],
    ["momentum", { ...BASE, optimizer: { kind: "momentum", momentum: 0.9, nesterov: true } }],
    ["momentum of nothing", { ...BASE, optimizer: { kind: "momentum", momentum: 0, nesterov: false } }],
    ["Adam", { ...BASE, optimizer: { kind: "adam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } }],
    ["decay, clipping and a proximal term", { ...BASE, weightDecay: 1e-4, gradientClip: 2.5, proximalMu: 0.01 }],
  ])("carries %s", (_, training) => {
    const read = decodeConfiguration(bodyOf(encodeConfiguration(binding, { ...configuration, training })));
    expect(read.training).toEqual(training);
  });

  it("has its bytes where docs/protocol.md puts them", () => {
    const full: Configuration = {
      ...configuration,
      training: {
        ...BASE,
        optimizer: { kind: "momentum", momentum: 0.5, nesterov: true },
        weightDecay: 2,
        gradientClip: 4,
        proximalMu: 8,
      },
      procedure: { kind: "scaffold", lost: [encodeRoundId(2), encodeRoundId(3)] },
      agreement: { ...configuration.agreement, roundId: encodeRoundId(4) },
    };
    const body = bodyOf(encodeConfiguration(binding, full));
    const hex = Buffer.from(body).toString("hex");
    const training = "00000002" + "00000005" + "3fd0000000000000" + "01" + "3fe0000000000000" + "01";
    const scalars = "4000000000000000" + "4010000000000000" + "4020000000000000";
    const procedure = `0100000002${"00".repeat(15)}02${"00".repeat(15)}03`;
    const deadlines = "000003e8" + "00002710" + "000001f4";
    expect(hex.endsWith(`${training}${scalars}${procedure}${deadlines}013ff0000000000000`)).toBe(true);
    expect(decodeConfiguration(body)).toEqual(full);
  });

  it("with lost rounds out of order, twice or too many is refused", () => {
    const many = Array.from({ length: 1025 }, (_, i) => encodeRoundId(i + 1));
    const [one, two] = many;
    const read = (lost: Uint8Array[]) =>
      decodeConfiguration(
        bodyOf(encodeConfiguration(binding, { ...configuration, procedure: { kind: "scaffold", lost } })),
      );
    for (const lost of [[two, one], [one, one], many]) expect(() => read(lost)).toThrow(FrameError);
    expect(read(many.slice(0, 1024)).procedure).toEqual({ kind: "scaffold", lost: many.slice(0, 1024) });
    expect(read([]).procedure).toEqual({ kind: "scaffold", lost: [] });
  });

  it("with an optimiser or a procedure that there is not is refused", () => {
    const plain = bodyOf(configure);
    const { simulationSeed: _, ...real } = configuration;
    expect(plain.length - bodyOf(encodeConfiguration(binding, real)).length).toBe(8);
    // From the end: the seed and its flag, three deadlines, the procedure, three doubles, the optimiser.
    for (const fromEnd of [9 + 12 + 1, 9 + 12 + 1 + 24 + 1]) {
      const changed = plain.slice();
      changed[plain.length - fromEnd] = 3;
      expect(() => decodeConfiguration(changed)).toThrow(/there is no (optimiser|procedure) 3/);
    }
  });

  it("cut anywhere, or with a byte behind it, is refused", () => {
    const body = bodyOf(configure);
    for (let length = 0; length < body.length; length++) {
      expect(() => decodeConfiguration(body.subarray(0, length))).toThrow(FrameError);
    }
    expect(() => decodeConfiguration(Uint8Array.of(...body, 0))).toThrow(FrameError);
  });

  it("with any byte changed is refused, or written differently: there is one encoding", () => {
    const body = bodyOf(configure);
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = body.slice();
        changed[at] ^= change;
        let read: ReturnType<typeof decodeConfiguration>;
        try {
          read = decodeConfiguration(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
          return;
        }
        expect(bodyOf(encodeConfiguration(binding, read))).toEqual(changed);
      }),
    );
  });

  it.each([
    { parameters: 0 },
    { parameters: 2 ** 28 + 1 },
    { training: { epochs: 0, batchSize: 1, learningRate: 1 } },
    { training: { epochs: 1, batchSize: 0, learningRate: 1 } },
    { training: { ...BASE, learningRate: 0 } },
    { training: { ...BASE, learningRate: -0.1 } },
    { training: { ...BASE, weightDecay: -1e-9 } },
    { training: { ...BASE, gradientClip: -1 } },
    { training: { ...BASE, proximalMu: -1 } },
    { training: { ...BASE, optimizer: { kind: "momentum" as const, momentum: 1, nesterov: false } } },
    { training: { ...BASE, optimizer: { kind: "momentum" as const, momentum: -0.1, nesterov: false } } },
    { training: { ...BASE, optimizer: { kind: "adam" as const, beta1: 1, beta2: 0.5, epsilon: 1 } } },
    { training: { ...BASE, optimizer: { kind: "adam" as const, beta1: 0.5, beta2: 1, epsilon: 1 } } },
    { training: { ...BASE, optimizer: { kind: "adam" as const, beta1: 0.5, beta2: 0.5, epsilon: 0 } } },
    { simulationSeed: 0.5 },
    { simulationSeed: 2 ** 53 },
  ])("of %j is refused", (changes) => {
    const frame = encodeConfiguration(binding, { ...configuration, ...changes });
    expect(() => decodeConfiguration(bodyOf(frame))).toThrow(FrameError);
  });
});

describe("MODEL", () => {
  it("is the model's bytes, of which a mebibyte is the most that is sent", () => {
    const model = Uint8Array.from({ length: 1 << 20 }, (_, i) => i % 251);
    const { header, body } = decodeFrame(encodeModel(binding, model));
    expect(header).toMatchObject({ type: FRAME_TYPES.model, sequence: 0, binding: binding.context });
    expect(Buffer.from(body).equals(model)).toBe(true);
    expect(() => encodeModel(binding, new Uint8Array((1 << 20) + 4))).toThrow(RangeError);
  });
});

describe("the short messages", () => {
  it.each([
    ["accept", encodeAccept],
    ["trained", encodeTrained],
    ["begin", encodeBegin],
  ] as const)("%s is a header bound to its round, and nothing else", (type, encode) => {
    const { header, body } = decodeFrame(encode(binding));
    expect(body).toHaveLength(0);
    expect(header).toEqual({
      type: FRAME_TYPES[type],
      flags: 0,
      roundId: binding.roundId,
      binding: binding.context,
      sender: NO_INDEX,
      sequence: 0,
    });
  });

  it.each(Object.keys(ABORT_CODES) as AbortCode[])("DECLINE %s reads as it was written", (code) => {
    expect(decodeAbortCode(bodyOf(encodeDecline(binding, code)))).toBe(code);
  });

  it("a code that is none, or not one byte, is no code", () => {
    expect(decodeAbortCode(Uint8Array.of(0))).toBeUndefined();
    expect(decodeAbortCode(Uint8Array.of(255))).toBeUndefined();
    expect(decodeAbortCode(new Uint8Array(0))).toBeUndefined();
    expect(decodeAbortCode(Uint8Array.of(1, 1))).toBeUndefined();
  });

  it("RELEASED carries its reason, as UTF-8 and whole", () => {
    const body = bodyOf(encodeReleased(binding, "over-selected"));
    expect(decodeReleased(body)).toBe("over-selected");
    expect(() => decodeReleased(body.subarray(0, -1))).toThrow(FrameError);
    expect(() => decodeReleased(Uint8Array.of(0, 0, 0, 1, 0xff))).toThrow(FrameError);
  });
});
