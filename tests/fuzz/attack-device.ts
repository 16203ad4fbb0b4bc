import type { SeededRandom } from "../../shared/random/seeded-random.ts";
import { pick } from "./field-edits.ts";
import { type Material, mutate } from "./mutations.ts";
import { anotherOffer } from "./offers.ts";
import type { Recording } from "./recording.ts";
import type { Setting } from "./setting.ts";
import type { Tally } from "./tally.ts";
import { must, type Reaction } from "./target.ts";
import { type WatchedDevice, watchDevice } from "./watched-device.ts";

/** Brings a device to some point of a recorded round, and sends it mutants until it has given the round up. */
export function attackDevice(random: SeededRandom, tally: Tally, recording: Recording, material: Material): void {
  const { setting } = recording;
  const id = pick(random, setting.devices);
  const requests = recording.requests.get(id) ?? [];
  const steps = random.below(requests.length + 1);
  const device = watchDevice(setting, id, { fetched: (model) => download(random, model) });
  for (const frame of requests.slice(0, steps)) deliver(tally, device, frame, "as it was recorded");

  const reactions =
    device.phase === "idle" && random.below(3) > 0
      ? sendOffers(random, tally, device, setting, requests[0])
      : sendMutants(random, tally, device, steps, requests, material);

  // What it ignored has not changed it: the round goes on to its end.
  const { phase } = device;
  if (phase !== "idle" && reactions.every(({ kind }) => kind === "ignored")) {
    const rest = requests.slice(steps).map((frame) => deliver(tally, device, frame, "as it was recorded"));
    must(
      rest.every(({ kind }) => kind === "taken") && device.phase === "idle",
      `${phase}, it ignored a frame, and then did not come to the end of its round`,
    );
  }
  if (random.below(10) === 0) device.disconnected();
  device.passTime();
  if (random.below(6) === 0) playAgain(tally, device, requests);
  must(device.phase === "idle", `the device ends ${device.phase}`);
}

function sendMutants(
  random: SeededRandom,
  tally: Tally,
  device: WatchedDevice,
  steps: number,
  requests: readonly Uint8Array[],
  material: Material,
): Reaction[] {
  const reactions: Reaction[] = [];
  const at = steps % requests.length;
  // An idle device declines, and is idle again.
  for (let attempts = device.phase === "idle" ? 12 : 3; attempts > 0; attempts--) {
    const awaited = requests[at];
    const base = random.below(5) === 0 ? pick(random, material.session) : awaited;
    const { how, frames } = mutate(random, base, material);
    for (const [i, frame] of frames.entries()) {
      const reaction = deliver(tally, device, frame, how);
      reactions.push(reaction);
      if (frame !== awaited || i > 0) tally.count("device", how, reaction);
      if (reaction.kind === "refused" && steps > 0) return reactions;
      // What was taken may do its harm later: the honest rest follows.
      if (reaction.kind === "taken" && random.below(3) > 0) {
        for (const request of requests.slice(at + 1)) deliver(tally, device, request, `after ${how}`);
        return reactions;
      }
    }
  }
  return reactions;
}

/** Whole rounds that are consistent in themselves, up to the exchanges. */
function sendOffers(
  random: SeededRandom,
  tally: Tally,
  device: WatchedDevice,
  setting: Setting,
  configure: Uint8Array,
): Reaction[] {
  const reactions: Reaction[] = [];
  for (let offers = 4; offers > 0; offers--) {
    const { how, frames } = anotherOffer(random, setting, configure);
    for (const frame of frames) {
      const reaction = deliver(tally, device, frame, how);
      tally.count("device", how, reaction);
      reactions.push(reaction);
    }
    device.disconnected();
  }
  return reactions;
}

/** The same round again, from its beginning: a device whose upload has left must not give another. */
function playAgain(tally: Tally, device: WatchedDevice, requests: readonly Uint8Array[]): void {
  const how = "sequence: the round again";
  for (const request of requests) tally.count("device", how, deliver(tally, device, request, how));
  device.passTime();
}

function deliver(tally: Tally, device: WatchedDevice, frame: Uint8Array, how: string): Reaction {
  tally.about = { reader: "device", how, frame };
  const reaction = device.take(frame.slice());
  device.train();
  device.outgoing();
  return reaction;
}

/** What a download of the model may give. */
function download(random: SeededRandom, model: Uint8Array): Uint8Array | undefined {
  switch (random.below(6)) {
    case 0:
      return undefined;
    case 1:
      return model.subarray(0, random.below(model.length));
    case 2:
      model[random.below(model.length)] ^= 1;
      return model;
    default:
      return model;
  }
}
