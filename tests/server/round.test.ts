import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeAccept, encodeDecline, encodeTrained } from "../../shared/protocol/control-messages.ts";
import { encodeFrame, FRAME_TYPES } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { ABORT_CODES, type AbortCode } from "../../shared/protocol/reasons.ts";
import {
  BINDING,
  CONFIGURATION,
  DEADLINES,
  header,
  losses,
  type ScriptedRound,
  scriptedRound,
} from "./scripted-round.ts";

/** At the stage of that name, with everyone still there. */
function roundAt(stage: "configure" | "train" | "keys", options: Parameters<typeof scriptedRound>[0] = {}) {
  const scripted = scriptedRound(options);
  scripted.start();
  if (stage !== "configure") scripted.accept(...scripted.devices);
  if (stage === "keys") scripted.train(...scripted.devices);
  expect(scripted.round.stage).toBe(stage);
  return scripted;
}

function finishExchanges(scripted: ScriptedRound, from: readonly DeviceId[]): void {
  for (let exchange = 0; exchange < 5; exchange++) scripted.exchange(...from);
}

describe("a round in which everyone answers", () => {
  it("waits for nothing but answers, and ends in the sum over all", () => {
    const scripted = scriptedRound();
    const { round, devices } = scripted;
    scripted.start();
    for (const device of devices) expect(scripted.sent.get(device)).toEqual([FRAME_TYPES.configure]);
    expect(round.deadline).toBe(DEADLINES.configure);
    scripted.accept(...devices);
    expect(round.stage).toBe("train");
    expect(round.deadline).toBe(DEADLINES.train);
    scripted.train(...devices);
    expect(round.stage).toBe("keys");
    expect(round.deadline).toBe(DEADLINES.exchange);
    finishExchanges(scripted, devices);
    expect(round.stage).toBe("done");
    expect(round.deadline).toBeUndefined();
    expect(round.result?.survivors).toEqual(devices);
    expect(round.abandoned).toBeUndefined();
    expect(losses(scripted)).toEqual([]);
    const stages = scripted.facts.flatMap((fact) => (fact.kind === "stage" ? [fact.stage] : []));
    expect(stages).toEqual(["select", "configure", "train", "keys", "shares", "mask", "confirm", "unmask"]);
    expect(scripted.facts.filter(({ kind }) => kind === "answered")).toHaveLength(7 * devices.length);
  });

  it("begins the exchanges only when the last has trained, and tells each of them", () => {
    const scripted = roundAt("train");
    const [last, ...others] = scripted.devices;
    scripted.train(...others);
    expect(scripted.exchanging).toBeUndefined();
    scripted.train(last);
    expect(new Set(scripted.exchanging?.invited)).toEqual(new Set(scripted.devices));
    for (const device of scripted.devices) expect(scripted.sent.get(device)?.at(-1)).toBe(FRAME_TYPES.begin);
  });

  it("keeps an early TRAINED until everyone has been configured", () => {
    const scripted = roundAt("configure");
    const [fast, ...others] = scripted.devices;
    scripted.accept(fast);
    scripted.train(fast);
    expect(scripted.round.stage).toBe("configure");
    scripted.accept(...others);
    scripted.train(...others);
    expect(scripted.round.stage).toBe("keys");
    expect(losses(scripted)).toEqual([]);
  });

  it("forgets an early TRAINED of a device that is lost before the stage ends", () => {
    const scripted = roundAt("configure");
    const [fast, ...others] = scripted.devices;
    scripted.accept(fast);
    scripted.train(fast);
    scripted.disconnect(fast);
    scripted.accept(...others);
    scripted.train(...others);
    expect(scripted.exchanging?.invited).toEqual(others);
  });
});

describe("a stage ends", () => {
  it.each(["configure", "train", "keys"] as const)("%s: when those who did not answer are gone", (stage) => {
    const scripted = roundAt(stage);
    const [gone, ...others] = scripted.devices;
    if (stage === "configure") scripted.accept(...others);
    else if (stage === "train") scripted.train(...others);
    else scripted.exchange(...others);
    expect(scripted.round.stage).toBe(stage);
    scripted.disconnect(gone);
    expect(scripted.round.stage).not.toBe(stage);
    expect(losses(scripted)).toEqual([`${gone}: disconnected at ${stage}`]);
    expect(scripted.released.has(gone)).toBe(false);
  });

  it.each(["configure", "train", "keys"] as const)("%s: at its deadline, not a millisecond before", (stage) => {
    const scripted = roundAt(stage);
    const [silent, ...others] = scripted.devices;
    if (stage === "configure") scripted.accept(...others);
    else if (stage === "train") scripted.train(...others);
    else scripted.exchange(...others);
    const deadline = scripted.round.deadline ?? Number.NaN;
    scripted.tick(deadline - 1);
    expect(scripted.round.stage).toBe(stage);
    scripted.tick(deadline);
    expect(scripted.round.stage).not.toBe(stage);
    expect(losses(scripted)).toEqual([`${silent}: deadline at ${stage}`]);
  });

  it("gives each stage its own time, from when it began", () => {
    const scripted = roundAt("configure");
    scripted.tick(4);
    scripted.accept(...scripted.devices);
    expect(scripted.round.deadline).toBe(4 + DEADLINES.train);
    scripted.tick(50);
    scripted.train(...scripted.devices);
    expect(scripted.round.deadline).toBe(50 + DEADLINES.exchange);
    scripted.tick(52);
    scripted.exchange(...scripted.devices);
    expect(scripted.round.deadline).toBe(52 + DEADLINES.exchange);
  });

  it("tells a device that missed the deadline why it was released", () => {
    const scripted = roundAt("configure");
    const [silent, ...others] = scripted.devices;
    scripted.accept(...others);
    scripted.tick(DEADLINES.configure);
    expect(scripted.released.get(silent)).toBe("deadline");
  });

  it("at the goal, and releases the others, only with closeAt: goal", () => {
    const patient = roundAt("train", { closeAt: "all" });
    patient.train(...patient.devices.slice(0, 4));
    expect(patient.round.stage).toBe("train");

    const hurried = roundAt("train", { closeAt: "goal" });
    hurried.train(...hurried.devices.slice(0, 3));
    expect(hurried.round.stage).toBe("train");
    hurried.train(hurried.devices[3]);
    expect(hurried.round.stage).toBe("keys");
    expect(losses(hurried)).toEqual(["d-4: over-selected at train"]);
    expect(hurried.released.get(hurried.devices[4])).toBe("over-selected");
    expect(hurried.exchanging?.invited).toEqual(hurried.devices.slice(0, 4));
  });

  it("does not close configuring at the goal: who is still being configured may be needed", () => {
    const scripted = roundAt("configure", { closeAt: "goal" });
    scripted.accept(...scripted.devices.slice(0, 4));
    expect(scripted.round.stage).toBe("configure");
  });

  it("at the goal with those who had trained while others were being configured", () => {
    const scripted = roundAt("configure", { closeAt: "goal" });
    const early = scripted.devices.slice(0, 4);
    scripted.accept(...early);
    scripted.train(...early.slice(0, 3));
    expect(scripted.round.stage).toBe("configure");
    // Whoever is not heard of by then holds nobody up.
    scripted.train(early[3]);
    expect(scripted.round.stage).toBe("keys");
    expect(losses(scripted)).toEqual(["d-4: over-selected at configure"]);
    expect(scripted.exchanging?.invited).toEqual(early);
  });
});

describe("below the quorum", () => {
  it.each(["configure", "train"] as const)("%s abandons the round and releases everyone left", (stage) => {
    const scripted = roundAt(stage);
    const two = scripted.devices.slice(0, 2);
    if (stage === "configure") scripted.accept(...two);
    else scripted.train(...two);
    scripted.tick(1000);
    expect(scripted.round.abandoned).toMatchObject({ stage, reason: "below-quorum", have: 2, need: 3 });
    expect(scripted.round.deadline).toBeUndefined();
    expect(scripted.round.result).toBeUndefined();
    for (const device of two) expect(scripted.released.get(device)).toBe("below-quorum");
    expect(scripted.exchanging).toBeUndefined();
  });

  it("goes on with exactly the quorum", () => {
    const scripted = roundAt("train");
    scripted.train(...scripted.devices.slice(0, 3));
    scripted.tick(1000);
    expect(scripted.round.stage).toBe("keys");
  });

  it("does not begin a round that has too few devices, and sends nothing", () => {
    const scripted = scriptedRound({ size: 2 });
    scripted.start();
    expect(scripted.round.abandoned).toMatchObject({ stage: "select", reason: "too-few-devices", have: 2, need: 3 });
    expect(scripted.sent.size).toBe(0);
  });

  it("abandons when everybody is gone, without waiting for the deadline", () => {
    const scripted = roundAt("train");
    for (const device of scripted.devices) scripted.disconnect(device);
    expect(scripted.round.abandoned).toMatchObject({ stage: "train", reason: "below-quorum", have: 0 });
  });

  it("passes on why the exchanges were abandoned, and releases who was left", () => {
    const scripted = roundAt("keys");
    scripted.exchange(scripted.devices[0]);
    scripted.tick(1000);
    expect(scripted.round.abandoned).toEqual({
      stage: "keys",
      reason: "too-few-shares",
      have: 1,
      need: 3,
      detail: "too few",
    });
    expect(scripted.released.get(scripted.devices[0])).toBe("too-few-shares");
    expect(scripted.released.get(scripted.devices[1])).toBe("deadline");
  });
});

describe("a device that leaves", () => {
  const trainingCodes: readonly AbortCode[] = ["training-failed", "non-finite-update"];

  it.each(Object.keys(ABORT_CODES) as AbortCode[])("with DECLINE %s is lost for that, and needs no answer", (code) => {
    const scripted = roundAt("train");
    scripted.decline(scripted.devices[0], code);
    const reason = trainingCodes.includes(code) ? "training-failed" : "declined";
    expect(scripted.facts.at(-1)).toEqual({ kind: "lost", device: "d-0", stage: "train", reason, detail: code });
    expect(scripted.released.has(scripted.devices[0])).toBe(false);
  });

  it("after it trained is not taken along", () => {
    const scripted = roundAt("train");
    const [gone, ...others] = scripted.devices;
    scripted.train(gone);
    scripted.disconnect(gone);
    scripted.train(...others);
    expect(scripted.exchanging?.invited).toEqual(others);
  });

  it("is lost once, however often its connection closes", () => {
    const scripted = roundAt("train");
    scripted.disconnect(scripted.devices[0]);
    scripted.disconnect(scripted.devices[0]);
    expect(losses(scripted)).toHaveLength(1);
  });

  it("is not heard again", () => {
    const scripted = roundAt("train");
    const [gone] = scripted.devices;
    scripted.disconnect(gone);
    const before = scripted.facts.length;
    scripted.train(gone);
    scripted.send(gone, Uint8Array.of(1, 2, 3));
    expect(scripted.facts).toHaveLength(before);
  });
});

/** Every message that a device may send before the exchanges. */
const MESSAGES: Record<string, Uint8Array> = {
  ACCEPT: encodeAccept(BINDING),
  TRAINED: encodeTrained(BINDING),
  DECLINE: encodeDecline(BINDING, "policy"),
  ABORT: encodeFrame(header(FRAME_TYPES.abort), Uint8Array.of(ABORT_CODES.stopped)),
  "DECLINE of an unknown code": encodeFrame(header(FRAME_TYPES.decline), Uint8Array.of(250)),
  "DECLINE without a code": encodeFrame(header(FRAME_TYPES.decline), new Uint8Array(0)),
  "ACCEPT with a body": encodeFrame(header(FRAME_TYPES.accept), Uint8Array.of(0)),
  "TRAINED with a body": encodeFrame(header(FRAME_TYPES.trained), Uint8Array.of(0)),
  ADVERTISE: encodeFrame(header(FRAME_TYPES.advertise), new Uint8Array(0)),
  "its own CONFIGURE": CONFIGURATION,
  "ACCEPT of another round": encodeAccept({ ...BINDING, roundId: new Uint8Array(16) }),
  "TRAINED of another agreement": encodeTrained({ ...BINDING, context: new Uint8Array(32) }),
  "half a frame": encodeAccept(BINDING).slice(0, 40),
  nothing: new Uint8Array(0),
};

type Standing = "expected" | "answered" | "early";
const STANDINGS: readonly (readonly ["configure" | "train", Standing])[] = [
  ["configure", "expected"],
  ["configure", "answered"],
  ["configure", "early"],
  ["train", "expected"],
  ["train", "answered"],
];

/** What is not listed is `malformed`. */
const VERDICTS: Record<string, string> = {
  "configure, expected, ACCEPT": "heard",
  "configure, answered, ACCEPT": "duplicate",
  "configure, early, ACCEPT": "duplicate",
  "configure, answered, TRAINED": "kept",
  "train, expected, TRAINED": "heard",
  "train, answered, TRAINED": "duplicate",
};

describe.each(STANDINGS)("during %s, from a device that is %s", (stage, standing) => {
  it.each(Object.keys(MESSAGES))("%s", (name) => {
    const scripted = roundAt(stage);
    const [device] = scripted.devices;
    if (stage === "configure" && standing !== "expected") scripted.accept(device);
    if (standing === "early") scripted.train(device);
    if (stage === "train" && standing === "answered") scripted.train(device);
    const before = scripted.facts.length;
    scripted.send(device, MESSAGES[name]);
    const told = scripted.facts.slice(before);
    const leaving = name === "DECLINE" || name === "ABORT";
    const verdict = leaving ? "declined" : (VERDICTS[`${stage}, ${standing}, ${name}`] ?? "malformed");
    if (verdict === "heard") expect(told).toEqual([{ kind: "answered", stage, device }]);
    else if (verdict === "kept") expect(told).toEqual([]);
    else expect(told).toMatchObject([{ kind: "lost", device, stage, reason: verdict }]);
    // One device's fault never ends the stage of the others.
    expect(scripted.round.stage).toBe(stage);
    if (verdict === "malformed" || verdict === "duplicate") expect(scripted.released.get(device)).toBe(verdict);
  });
});

describe("a stranger", () => {
  it.each(["configure", "train", "keys"] as const)("is not heard during %s", (stage) => {
    const scripted = roundAt(stage);
    const before = scripted.facts.length;
    scripted.send("stranger" as DeviceId, MESSAGES.TRAINED);
    scripted.send("stranger" as DeviceId, MESSAGES.nothing);
    scripted.disconnect("stranger" as DeviceId);
    expect(scripted.facts).toHaveLength(before);
    expect(scripted.sent.has("stranger" as DeviceId)).toBe(false);
  });
});

describe("stopping", () => {
  it.each(["configure", "train", "keys"] as const)("during %s abandons at once, and tells everyone left", (stage) => {
    const scripted = roundAt(stage);
    scripted.disconnect(scripted.devices[0]);
    scripted.stop();
    expect(scripted.round.abandoned).toMatchObject({ stage, reason: "stopped" });
    expect(scripted.round.deadline).toBeUndefined();
    expect([...scripted.released.keys()]).toEqual(scripted.devices.slice(1));
    expect(new Set(scripted.released.values())).toEqual(new Set(["stopped"]));
  });

  it("changes nothing once the round is over", () => {
    const scripted = roundAt("keys");
    finishExchanges(scripted, scripted.devices);
    scripted.stop();
    expect(scripted.round.stage).toBe("done");
    expect(scripted.round.abandoned).toBeUndefined();
  });
});

describe("after its end", () => {
  it.each(["done", "abandoned"] as const)("a round that is %s hears, sends and waits for nothing", (end) => {
    const scripted = roundAt("keys");
    if (end === "done") finishExchanges(scripted, scripted.devices);
    else scripted.stop();
    const before = { facts: scripted.facts.length, sent: JSON.stringify([...scripted.sent]) };
    for (const message of Object.values(MESSAGES)) scripted.send(scripted.devices[1], message);
    scripted.disconnect(scripted.devices[2]);
    scripted.tick(1e9);
    scripted.stop();
    expect(scripted.round.stage).toBe(end);
    expect(scripted.facts).toHaveLength(before.facts);
    expect(JSON.stringify([...scripted.sent])).toBe(before.sent);
    expect(() => scripted.start()).toThrow("once");
  });
});

describe("whatever devices do", () => {
  const action = fc.record({
    device: fc.nat(5),
    what: fc.constantFrom(...Object.keys(MESSAGES), "exchange", "disconnect", "tick"),
  });

  it("every wait has a deadline, and letting deadlines pass ends the round", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), fc.constantFrom("all", "goal"), (actions, closeAt) => {
        const scripted = scriptedRound({ closeAt });
        const { round } = scripted;
        scripted.start();
        for (const { device, what } of actions) {
          const id = `d-${device}` as DeviceId;
          if (what === "exchange") scripted.exchange(id);
          else if (what === "disconnect") scripted.disconnect(id);
          else if (what === "tick") scripted.tick(round.deadline ?? 0);
          else scripted.send(id, MESSAGES[what]);
          const over = round.stage === "done" || round.stage === "abandoned";
          expect(round.deadline === undefined).toBe(over);
        }
        let waits = 0;
        for (; round.deadline !== undefined && waits < 8; waits++) scripted.tick(round.deadline);
        expect(waits).toBeLessThanOrEqual(7);
        expect((round.result === undefined) !== (round.abandoned === undefined)).toBe(true);
      }),
    );
  });

  it("each device is in the sum, or lost once, or told that the round was abandoned", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const scripted = scriptedRound();
        const { round } = scripted;
        scripted.start();
        for (const { device, what } of actions) {
          const id = `d-${device}` as DeviceId;
          if (what === "exchange") scripted.exchange(id);
          else if (what === "disconnect") scripted.disconnect(id);
          else if (what !== "tick") scripted.send(id, MESSAGES[what]);
        }
        for (let waits = 0; round.deadline !== undefined && waits < 8; waits++) scripted.tick(round.deadline);
        const lost = scripted.facts.flatMap((fact) => (fact.kind === "lost" ? [fact.device] : []));
        expect(new Set(lost).size).toBe(lost.length);
        for (const device of scripted.devices) {
          const ends = [
            round.result?.survivors.includes(device) === true,
            lost.includes(device),
            round.abandoned !== undefined && scripted.released.get(device) === round.abandoned.reason,
          ];
          expect(ends.filter(Boolean)).toHaveLength(1);
        }
      }),
    );
  });
});
