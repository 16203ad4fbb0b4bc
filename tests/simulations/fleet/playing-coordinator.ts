import type { Round, RoundEffects, RoundFact } from "../../../server/round.ts";
import { openRound } from "../../../server/task.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import {
  type DealtSimulation,
  encodeChallenge,
  encodePace,
  encodeRefused,
  encodeWelcome,
} from "../../../shared/protocol/connection-messages.ts";
import { decodeFrame, FRAME_TYPES } from "../../../shared/protocol/frame.ts";
import { type DeviceId, simulatedDeviceName } from "../../../shared/protocol/ids.ts";
import { runConfigSchema } from "../../../simulations/experiments/config.ts";
import { prepareExperiment } from "../../../simulations/experiments/experiment.ts";
import { fakeServer, realClock } from "../../client/transport/fake-server.ts";

export const PLAYED_DEVICES = 6;
const CONFIG = runConfigSchema.parse({
  seed: 5,
  task: { dataset: "blobs", model: "softmax" },
  fleet: { devices: PLAYED_DEVICES, dropout: 0 },
  round: { cohort: PLAYED_DEVICES, overSelection: 1, minCohort: 3, deadline: "20s", exchangeDeadline: "3s" },
  secagg: { minHonest: 2 },
});

export interface PlayedCoordinator {
  readonly origin: URL;
  /** Who was lost, in which round. */
  readonly losses: readonly (Extract<RoundFact, { kind: "lost" }> & { readonly round: number })[];
  /** Survivors of each round that ended with a sum, in order. */
  readonly survivors: readonly (readonly DeviceId[])[];
  /** How often each place was taken. */
  readonly welcomes: ReadonlyMap<DeviceId, number>;
}

export interface CoordinatorPlay {
  readonly rounds: number;
  /** Chance of vanishing that the devices are told. */
  readonly dropout?: number;
  /** What is dealt to the n-th device that comes. */
  deal?(simulation: DealtSimulation, nth: number): DealtSimulation | undefined;
  /** Sends every device away once, before its first round. */
  readonly pace?: boolean;
}

/**
 * As much of a coordinator as devices need to be played with: it lets anybody in, starts a round whenever all of its
 * six devices wait, and says that the run is finished after so many rounds, whatever their outcome.
 */
export async function playCoordinator(play: CoordinatorPlay): Promise<PlayedCoordinator> {
  const { task, initial } = await prepareExperiment({
    config: CONFIG,
    provider: cryptoProvider,
    taskId: new Uint8Array(16),
  });
  const losses: PlayedCoordinator["losses"][number][] = [];
  const survivors: DeviceId[][] = [];
  const welcomes = new Map<DeviceId, number>();
  const places = new Map<string, DeviceId>();
  const lines = new Map<DeviceId, { readonly nonce: Uint8Array; send(frame: Uint8Array): void; close(): void }>();
  const waiting = new Set<DeviceId>();
  const paced = new Set<DeviceId>();
  let round: Round | undefined;
  let played = 0;
  let cancel: () => void = () => undefined;

  function take(effects: RoundEffects): void {
    for (const fact of effects.facts) if (fact.kind === "lost") losses.push({ ...fact, round: played });
    for (const { to, frame } of effects.send) lines.get(to)?.send(frame);
    if (round === undefined) return;
    cancel();
    if (round.deadline !== undefined) {
      cancel = realClock.after(Math.max(0, round.deadline - realClock.now()), () => {
        if (round !== undefined) take(round.tick(realClock.now()));
      });
      return;
    }
    if (round.result !== undefined) survivors.push([...round.result.survivors]);
    round = undefined;
    begin();
  }

  function begin(): void {
    if (round !== undefined || waiting.size < PLAYED_DEVICES) return;
    if (played === play.rounds) {
      for (const { nonce, send, close } of lines.values()) {
        send(encodeRefused(nonce, { reason: "finished", message: "That was all." }));
        close();
      }
      return;
    }
    const invited = [...waiting].sort();
    waiting.clear();
    played++;
    const now = realClock.now();
    const broadcast = { values: initial, lost: [] };
    round = openRound(cryptoProvider, task, played, broadcast, invited, Math.floor(now / 1000)).round;
    take(round.start(now));
  }

  const { origin } = await fakeServer({
    onSocket(socket) {
      const nonce = cryptoProvider.random.bytes(32);
      const send = (frame: Uint8Array) => socket.send(frame);
      let id: DeviceId | undefined;
      send(encodeChallenge({ nonce, population: CONFIG.population, heartbeat: 5_000 }));
      socket.on("message", (data: Buffer) => {
        const frame = Uint8Array.from(data);
        const { header, body } = decodeFrame(frame);
        if (header.type === FRAME_TYPES.authenticate) {
          const key = String(body.subarray(0, 32));
          id = places.get(key) ?? simulatedDeviceName(places.size, PLAYED_DEVICES);
          places.set(key, id);
          welcomes.set(id, (welcomes.get(id) ?? 0) + 1);
          lines.set(id, { nonce, send, close: () => socket.close(1000) });
          const index = Number(id.slice(2));
          const { seed } = CONFIG;
          const simulation = {
            seed,
            dataset: "blobs",
            partition: "iid",
            devices: PLAYED_DEVICES,
            index,
            dropout: play.dropout ?? 0,
          };
          const dealt = play.deal === undefined ? simulation : play.deal(simulation, places.size - 1);
          send(encodeWelcome(nonce, { device: id, ...(dealt === undefined ? {} : { simulation: dealt }) }));
        } else if (id === undefined) {
          socket.terminate();
        } else if (header.type === FRAME_TYPES.checkIn) {
          if (play.pace && !paced.has(id)) {
            paced.add(id);
            send(encodePace(nonce, { min: 100, max: 200 }));
            return;
          }
          waiting.add(id);
          begin();
        } else if (round !== undefined) {
          take(round.receive(realClock.now(), id, frame));
        }
      });
      socket.on("close", () => {
        if (id === undefined || lines.get(id)?.nonce !== nonce) return;
        lines.delete(id);
        waiting.delete(id);
        if (round !== undefined) take(round.disconnected(realClock.now(), id));
      });
    },
  });
  return { origin, losses, survivors, welcomes };
}
