import { describe, expect, it } from "vitest";
import type { CarriedEffects } from "../../../client/connection.ts";
import { encodeReleased } from "../../../shared/protocol/control-messages.ts";
import type { Vanishing } from "../../../simulations/fleet/dropout-plan.ts";
import { vanishingDevice } from "../../../simulations/fleet/vanishing-device.ts";
import { typesOf } from "../../client/connection-fixtures.ts";
import { MODEL, NOW, offer, testDevice } from "../../client/device-fixtures.ts";

const result = () => ({ parameters: MODEL.slice(), examples: 5, lossSum: 1, correct: 1, steps: 1 });

/** Plays a round to its upload; what was sent, and how far it came. */
function played(vanishing: Vanishing | undefined) {
  const inner = testDevice();
  const device = vanishingDevice(inner, (round) => {
    expect(round).toBe(7);
    return vanishing;
  });
  const { configure, model, begin, binding } = offer();
  const all: CarriedEffects[] = [
    device.receive(NOW, configure),
    device.receive(NOW, model[0]),
    device.trained(NOW, result()),
    device.receive(NOW, begin),
  ];
  const sent = all.flatMap(({ send }) => typesOf(send));
  return { device, inner, all, sent, binding, vanished: all.some(({ vanish }) => vanish === true) };
}

describe("a device that vanishes", () => {
  const answers = ["accept", "trained", "plainUpdate"];

  it.each<[Vanishing["stage"], readonly string[]]>([
    ["configure", []],
    ["train", ["accept"]],
    ["mask", ["accept", "trained"]],
  ])("in %s has answered what came before, and nothing from there on", (stage, sent) => {
    for (const silent of [true, false]) {
      const { vanished, sent: answered, inner, all } = played({ stage, silent });
      expect(answered).toEqual(sent);
      expect(vanished).toBe(!silent);
      expect(inner.phase).toBe("idle");
      // What it will not answer it does not train for either.
      if (stage !== "mask") expect(all[1].train).toBeUndefined();
    }
  });

  it("is there as any other where nothing is drawn", () => {
    const { sent, vanished, device } = played(undefined);
    expect(sent).toEqual(answers);
    expect(vanished).toBe(false);
    expect(device.phase).toBe("exchanging");
  });

  it("silently, is back when the round is over for it, and no sooner", () => {
    const { device, binding } = played({ stage: "train", silent: true });
    expect(device.phase).toBe("training");
    const other = { ...binding, roundId: new Uint8Array(16) };
    expect(device.receive(NOW, encodeReleased(other, "deadline"))).toEqual({ send: [] });
    expect(device.receive(NOW, new Uint8Array(3))).toEqual({ send: [] });
    expect(device.receive(NOW, offer().configure)).toEqual({ send: [] });
    expect(device.receive(NOW, encodeReleased(binding, "deadline")).outcome).toMatchObject({ kind: "released" });
    expect(device.phase).toBe("idle");
  });

  it("silently, takes the round for over when nobody says so", () => {
    const { device } = played({ stage: "train", silent: true });
    const at = device.deadline!;
    expect(device.tick(at - 1)).toEqual({ send: [] });
    expect(device.tick(at).outcome).toMatchObject({ kind: "released" });
    expect(device.phase).toBe("idle");
    expect(device.deadline).toBeUndefined();
  });

  it("silently, loses its connection as any other", () => {
    const { device } = played({ stage: "train", silent: true });
    expect(device.disconnected().outcome).toEqual({ kind: "released", reason: "disconnected" });
    expect(device.phase).toBe("idle");
  });
});
