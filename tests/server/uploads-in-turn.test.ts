import { describe, expect, it } from "vitest";
import { createUploadGate } from "../../server/upload-gate.ts";
import { UPLOADS_AT_ONCE } from "../../shared/protocol/chunks.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { DEADLINES, losses, scriptedRound } from "./scripted-round.ts";

const ids = (...numbers: readonly number[]) => numbers.map((i) => `d-${i}` as DeviceId);

describe("the gate", () => {
  it("gives four turns at a time, in order, and the next as they become free", () => {
    const gate = createUploadGate(100);
    const waiting = new Set(ids(0, 1, 2, 3, 4, 5, 6));
    expect(gate.deadline).toBeUndefined();
    expect(gate.grant(0, waiting)).toEqual(ids(0, 1, 2, 3));
    expect(gate.grant(1, waiting)).toEqual([]);
    waiting.delete("d-1" as DeviceId);
    waiting.delete("d-2" as DeviceId);
    expect(gate.grant(5, waiting)).toEqual(ids(4, 5));
    expect(gate.deadline).toBe(100);
  });

  it("starts each one's time with its turn", () => {
    const gate = createUploadGate(100);
    const waiting = new Set(ids(0, 1, 2, 3, 4));
    gate.grant(0, waiting);
    expect(gate.overdue(99)).toEqual([]);
    waiting.delete("d-0" as DeviceId);
    gate.grant(60, waiting);
    expect(gate.overdue(100)).toEqual(ids(1, 2, 3));
    for (const device of ids(1, 2, 3)) waiting.delete(device);
    gate.grant(100, waiting);
    expect(gate.deadline).toBe(160);
    expect(gate.overdue(160)).toEqual(ids(4));
  });
});

describe("a round's uploads", () => {
  /** At the mask stage, with ten devices. */
  function masking(changes: Parameters<typeof scriptedRound>[0] = {}) {
    const scripted = scriptedRound({ size: 10, goal: 8, quorum: 3, ...changes });
    scripted.start();
    scripted.accept(...scripted.devices);
    scripted.train(...scripted.devices);
    for (let exchange = 0; exchange < 2; exchange++) scripted.exchange(...scripted.devices);
    expect(scripted.round.stage).toBe("mask");
    return scripted;
  }

  it("are read four at a time", () => {
    const scripted = masking();
    expect(UPLOADS_AT_ONCE).toBe(4);
    expect(scripted.uploads).toEqual(ids(0, 1, 2, 3));
    scripted.exchange("d-2" as DeviceId);
    expect(scripted.uploads).toEqual(ids(0, 1, 2, 3, 4));
    scripted.disconnect("d-0" as DeviceId);
    expect(scripted.uploads).toEqual(ids(0, 1, 2, 3, 4, 5));
    scripted.exchange(...ids(1, 3, 4, 5));
    expect(scripted.uploads).toEqual(ids(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    scripted.exchange(...ids(6, 7, 8, 9));
    expect(scripted.round.stage).toBe("confirm");
  });

  it("have a deadline each: who has no turn yet loses nothing by another's slowness", () => {
    const scripted = masking();
    const { exchange } = DEADLINES;
    expect(scripted.round.deadline).toBe(exchange);
    scripted.tick(exchange);
    expect(losses(scripted)).toEqual(ids(0, 1, 2, 3).map((device) => `${device}: deadline at mask`));
    expect(scripted.round.stage).toBe("mask");
    expect(scripted.uploads.slice(4)).toEqual(ids(4, 5, 6, 7));
    expect(scripted.round.deadline).toBe(2 * exchange);
    scripted.exchange(...ids(4, 5, 6, 7));
    expect(scripted.round.deadline).toBe(2 * exchange);
    scripted.exchange(...ids(8, 9));
    expect(scripted.round.stage).toBe("confirm");
    expect(scripted.round.deadline).toBe(2 * exchange);
  });

  it("end though nobody uploads: after as many turns as it takes", () => {
    const scripted = masking();
    let ticks = 0;
    for (; scripted.round.stage === "mask"; ticks++) scripted.tick(scripted.round.deadline ?? 0);
    expect(ticks).toBe(3);
    expect(scripted.round.stage).toBe("abandoned");
    expect(losses(scripted)).toHaveLength(10);
  });

  it("count though they come before their turn, where nothing holds them back", () => {
    const scripted = masking();
    scripted.exchange(...ids(9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
    expect(scripted.round.stage).toBe("confirm");
    expect(losses(scripted)).toEqual([]);
  });

  it("are nothing to other stages: those have one deadline for all", () => {
    const scripted = masking();
    scripted.exchange(...scripted.devices);
    expect(scripted.round.stage).toBe("confirm");
    scripted.exchange(...ids(0, 1, 2, 3, 4));
    scripted.tick(DEADLINES.exchange);
    expect(losses(scripted)).toEqual(ids(5, 6, 7, 8, 9).map((device) => `${device}: deadline at confirm`));
    expect(scripted.uploads).toHaveLength(10);
  });
});

describe("a connection that was closed for what it sent", () => {
  it.each(["malformed", "oversize", "deadline", "disconnected"] as const)("is lost as %s", (loss) => {
    const scripted = scriptedRound();
    scripted.start();
    scripted.disconnect("d-0" as DeviceId, loss);
    expect(losses(scripted)).toEqual([`d-0: ${loss} at configure`]);
  });
});
