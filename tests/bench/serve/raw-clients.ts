import { machineTime } from "../../../cli/machine-time.ts";
import { enrolDevices } from "../../../client/transport/http.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import type { Ed25519Key } from "../../../shared/crypto/provider.ts";
import { steadyClock } from "../../../shared/time/steady-clock.ts";
import { answerParent } from "./answers.ts";
import { cpuSeconds, sharedSeconds } from "./measuring.ts";
import { openRawConnection, type RawConnection } from "./raw-connection.ts";

// The clients of both servers: they read as cheaply as Node can, so that the servers are what is measured.
export type Side = "subject" | "baseline";

export interface Received {
  /** When the last byte of the last socket came, by the shared clock. */
  readonly at: number;
  /** Over all sockets. */
  readonly bytes: number;
  readonly cpuSeconds: number;
}

interface Group {
  readonly connections: RawConnection[];
  /** Bytes of this broadcast, by socket. */
  readonly received: Float64Array;
  /** Bytes that each socket is to receive. */
  expected: number;
  complete: number;
  cpuBefore: number;
  onComplete(): void;
}

const CONNECTING_AT_ONCE = 64;
const READ_BYTES = 1 << 18;
const buffer = new Uint8Array(READ_BYTES);
const groups = new Map<Side, Group>();
let keys: Ed25519Key[] = [];

function groupOf(side: Side): Group {
  const group = groups.get(side);
  if (group === undefined) throw new Error(`nothing is connected to the ${side}`);
  return group;
}

function fault(error: Error): void {
  console.error(error);
  process.exit(1);
}

const calls = {
  /** Makes `count` devices, and enrols them. */
  async enrol(count: number, url: string, token: string): Promise<void> {
    keys = Array.from({ length: count }, () => cryptoProvider.generateEd25519());
    const origin = new URL(url);
    const clock = steadyClock(machineTime);
    await enrolDevices({ origin, software: "bench", clock, provider: cryptoProvider }, origin.host, token, keys);
  },
  async connect(side: Side, port: number, count: number): Promise<void> {
    const group: Group = {
      connections: [],
      received: new Float64Array(count),
      expected: 0,
      complete: 0,
      cpuBefore: 0,
      onComplete() {},
    };
    groups.set(side, group);
    let next = 0;
    const connectSome = async () => {
      for (let index = next++; index < count; index = next++) await connectOne(group, side, port, index);
    };
    await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, connectSome));
  },
  disconnect(side: Side): void {
    for (const connection of groupOf(side).connections) connection.close();
    groups.delete(side);
  },
  /** From now on, each socket is to receive so many bytes. */
  expect(side: Side, bytes: number): void {
    const group = groupOf(side);
    group.received.fill(0);
    group.expected = bytes;
    group.complete = 0;
    group.cpuBefore = cpuSeconds();
  },
  /** Once every socket has received what it was to; a byte more is an error. */
  async received(side: Side): Promise<Received> {
    const group = groupOf(side);
    const at = await new Promise<number>((resolve) => {
      group.onComplete = () => resolve(completedAt);
      if (group.complete === group.received.length) group.onComplete();
    });
    return {
      at,
      bytes: group.received.reduce((sum, bytes) => sum + bytes, 0),
      cpuSeconds: cpuSeconds() - group.cpuBefore,
    };
  },
};

let completedAt = 0;

function connectOne(group: Group, side: Side, port: number, index: number): Promise<void> {
  return new Promise((resolve) => {
    const connection = openRawConnection({
      port,
      device: side === "subject" ? keys[index] : undefined,
      buffer,
      ready: resolve,
      counted: (bytes) => count(group, index, bytes),
      failed: fault,
    });
    group.connections.push(connection);
  });
}

function count(group: Group, index: number, bytes: number): void {
  const received = group.received[index] + bytes;
  group.received[index] = received;
  if (received < group.expected) return;
  if (received > group.expected) fault(new Error(`${received} bytes came where ${group.expected} were due`));
  if (++group.complete < group.received.length) return;
  completedAt = sharedSeconds();
  group.onComplete();
}

export type RawClientCalls = typeof calls;
answerParent(calls);
