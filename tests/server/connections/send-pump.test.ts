import { describe, expect, it } from "vitest";
import type { DeviceSocket } from "../../../server/connections/device-socket.ts";
import { createSendPump } from "../../../server/connections/send-pump.ts";
import { manualClock } from "../../shared/time/manual-clock.ts";
import { fakeSocket } from "./fake-socket.ts";

const PATIENCE = 10_000;

function pumpOf() {
  const clock = manualClock();
  let turns: (() => void)[] = [];
  const stalled: DeviceSocket[] = [];
  const pump = createSendPump({
    clock,
    defer: (task) => turns.push(task),
    patience: PATIENCE,
    onStalled: (socket) => stalled.push(socket),
  });
  /** One turn of the event loop. */
  const turn = () => {
    const due = turns;
    turns = [];
    for (const task of due) task();
    return due.length;
  };
  const settle = () => {
    while (turn() > 0);
  };
  return { pump, clock, stalled, turn, settle };
}

const frame = (length = 10) => new Uint8Array(length);

describe("the pump", () => {
  it("hands nothing over before the event loop has had a turn, and at most eight in one", () => {
    const { pump, turn } = pumpOf();
    const sockets = Array.from({ length: 20 }, fakeSocket);
    for (const socket of sockets) pump.push(socket, frame());
    const sent = () => sockets.filter(({ frames }) => frames.length > 0).length;
    expect(sent()).toBe(0);
    turn();
    expect(sent()).toBe(8);
    turn();
    expect(sent()).toBe(16);
    turn();
    expect(sent()).toBe(20);
    expect(pump.queued).toBe(0);
  });

  it("says when what was pushed until then has been handed over, whatever comes later", async () => {
    const { pump, turn } = pumpOf();
    const said: string[] = [];
    const note = (what: string) => pump.handedOver().then(() => void said.push(what));
    await note("nothing");
    for (let i = 0; i < 9; i++) pump.push(fakeSocket(), frame());
    void note("nine");
    for (let i = 0; i < 9; i++) pump.push(fakeSocket(), frame());
    void note("eighteen");
    turn();
    await Promise.resolve();
    expect(said).toEqual(["nothing"]);
    turn();
    await Promise.resolve();
    expect(said).toEqual(["nothing", "nine"]);
    pump.close();
    await Promise.resolve();
    expect(said).toEqual(["nothing", "nine", "eighteen"]);
  });

  it("keeps the order of the frames to one socket", () => {
    const { pump, settle } = pumpOf();
    const socket = fakeSocket();
    const frames = Array.from({ length: 3000 }, (_, i) => Uint8Array.of(i & 255, i >> 8));
    for (const one of frames) pump.push(socket, one);
    settle();
    expect(socket.frames).toEqual(frames);
  });

  it("has at most eight sends in flight to peers that do not read, until they prove slow", () => {
    const { pump, clock, settle } = pumpOf();
    const slow = Array.from({ length: 12 }, () => Object.assign(fakeSocket(), { reads: false }));
    const quick = fakeSocket();
    for (const socket of slow) pump.push(socket, frame());
    pump.push(quick, frame());
    settle();
    expect(slow.filter(({ frames }) => frames.length > 0)).toHaveLength(8);
    expect(quick.frames).toHaveLength(0);
    clock.advance(600);
    settle();
    expect(quick.frames).toHaveLength(1);
  });

  it("tells of a peer that takes nothing, once, and of nobody who takes a little", () => {
    const { pump, clock, stalled, settle } = pumpOf();
    const stuck = Object.assign(fakeSocket(), { reads: false });
    const trickling = Object.assign(fakeSocket(), { reads: false });
    for (let i = 0; i < 4; i++) pump.push(stuck, frame(1000));
    pump.push(trickling, frame(1000));
    settle();
    for (let second = 0; second < 60; second++) {
      clock.advance(1000);
      trickling.drain(1);
    }
    expect(stalled).toEqual([stuck]);
    trickling.drain(1000);
    clock.advance(PATIENCE * 3);
    expect(stalled).toEqual([stuck]);
    expect(clock.pending).toBe(0);
  });

  it("frees a place once, however late a send ends", () => {
    const { pump, clock, settle } = pumpOf();
    const slow = Array.from({ length: 8 }, () => Object.assign(fakeSocket(), { reads: false }));
    for (const socket of slow) pump.push(socket, frame(10));
    settle();
    clock.advance(600);
    settle();
    for (const socket of slow) socket.drain(10);
    const more = Array.from({ length: 16 }, () => Object.assign(fakeSocket(), { reads: false }));
    for (const socket of more) pump.push(socket, frame());
    settle();
    expect(more.filter(({ frames }) => frames.length > 0)).toHaveLength(8);
  });

  it("leaves no timer behind", () => {
    const { pump, clock, settle } = pumpOf();
    pump.push(fakeSocket(), frame());
    settle();
    clock.advance(1000);
    expect(clock.pending).toBe(0);
  });
});
