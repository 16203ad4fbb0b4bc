import { leastDevices, secretOwners, withoutEnoughHolders } from "../../../server/secagg/minimum.ts";
import { runStages, type ServerSecAgg } from "../../../server/secagg/session.ts";
import {
  DeviceFault,
  type ExchangeStage,
  type Outgoing,
  type ServerSecAggOptions,
  type ServerStage,
  type StageContext,
  type Transition,
} from "../../../server/secagg/stage.ts";
import { FRAME_TYPES, type FrameType } from "../../../shared/protocol/frame.ts";
import type { DeviceId } from "../../../shared/protocol/ids.ts";
import { confirmationQuorum } from "../../../shared/secagg/confirmation-quorum.ts";
import type { SharingGraph } from "../../../shared/secagg/graph.ts";
import type { AgreedParameters } from "../../../shared/secagg/graph-parameters.ts";
import { rosterGraph, rosterParameters } from "../../../shared/secagg/roster-graph.ts";
import type { CountedFrames } from "./counted-frames.ts";
import type { MessageSizes } from "./message-sizes.ts";

export interface CountingOptions {
  readonly frames: CountedFrames;
  readonly sizes: MessageSizes;
  /** The ring sum over the devices whose update counts, once all of them have trained. */
  sum(survivors: readonly DeviceId[]): Int32Array;
}

/**
 * The coordinator's side of secure aggregation with nobody's secrets in it: the same stages, waits, quorums and limits as
 * `server/secagg`, and messages that are only counted. For simulations that ask what a fleet learns and when, and not
 * whether masks cancel.
 */
export function createCountingSession(options: ServerSecAggOptions, counting: CountingOptions): ServerSecAgg {
  const first = options.agreement.mode === "plaintext" ? collectPlainUpdates : collectKeys;
  return runStages(options, (context) => first({ ...counting, context }));
}

interface Setting extends CountingOptions {
  readonly context: StageContext;
}

interface CountedRoster extends Setting {
  readonly graph: SharingGraph;
  readonly parameters: AgreedParameters;
  /** By index. */
  readonly devices: readonly DeviceId[];
  indexOf(device: DeviceId): number;
}

function collectKeys(setting: Setting): ServerStage {
  const { context, frames, sizes } = setting;
  const { agreement, invited, quorum, provider } = context.options;
  return collecting("keys", FRAME_TYPES.advertise, invited, (answered) => {
    const need = Math.max(quorum, agreement.floors.minCohort, agreement.minSurvivors);
    const short = belowQuorum(answered.size, need, "devices advertised their keys");
    if (short !== undefined) return short;
    const parameters = rosterParameters(agreement, answered.size);
    if (!parameters.ok) {
      const { reason: detail } = parameters;
      return { kind: "abandoned", reason: "no-parameters", have: answered.size, need, detail };
    }
    context.adopt(parameters);
    const devices = [...answered];
    const indices = new Map(devices.map((device, index) => [device, index]));
    const indexOf = (device: DeviceId) => known(indices, device);
    // Places in the roster are drawn by the keys; here, by the devices' names.
    const identities = devices.map((device) => provider.sha256(new TextEncoder().encode(device)));
    const graph = rosterGraph(provider, parameters, identities, new Uint8Array(32));
    const counted = { bytes: sizes.roster(devices.length), answer: sizes.shares(graph.degree) };
    const frame = frames.make(FRAME_TYPES.roster, counted);
    return next(collectShares({ ...setting, graph, parameters, devices, indexOf }), devices, () => frame);
  });
}

/** Without masks there is one exchange. */
function collectPlainUpdates({ context, frames, sizes, sum }: Setting): ServerStage {
  const { agreement, invited, quorum } = context.options;
  return collecting(
    "mask",
    FRAME_TYPES.plainUpdate,
    invited,
    (answered) => {
      const need = Math.max(quorum, agreement.floors.minCohort, agreement.minSurvivors);
      const short = belowQuorum(answered.size, need, "updates arrived");
      if (short !== undefined) return short;
      const survivors = [...answered];
      const done = frames.make(FRAME_TYPES.done, { bytes: sizes.done });
      return {
        kind: "done",
        result: { sum: sum(survivors), survivors, resultHash: new Uint8Array(32) },
        send: survivors.filter((device) => context.isPresent(device)).map((to) => ({ to, frame: done })),
      };
    },
    { keepsThoseWhoLeave: true },
  );
}

function collectShares(roster: CountedRoster): ServerStage {
  const { context, graph, devices, indexOf, frames, sizes } = roster;
  const expected = devices.filter((device) => context.isPresent(device));
  return collecting("shares", FRAME_TYPES.shares, expected, (answered) => {
    const need = leastDevices(context.options.agreement, roster.parameters);
    const short = belowQuorum(answered.size, need, "devices shared their secrets");
    if (short !== undefined) return short;
    const sharing = indicesIn(roster, answered);
    const lacking = withoutEnoughHolders(roster, sharing, sharing);
    if (lacking !== undefined) return { kind: "abandoned", ...lacking };
    const forward = (device: DeviceId) => {
      const boxes = neighboursIn(graph, indexOf(device), sharing);
      return frames.make(FRAME_TYPES.sharesForward, {
        bytes: sizes.sharesForward(graph.size, boxes),
        answer: sizes.masked,
      });
    };
    return next(collectMasked(roster, sharing), [...answered], forward);
  });
}

function collectMasked(roster: CountedRoster, sharing: ReadonlySet<number>): ServerStage {
  const { context, graph, devices, frames, sizes } = roster;
  const expected = [...sharing].map((index) => devices[index]);
  return collecting(
    "mask",
    FRAME_TYPES.masked,
    expected,
    (answered) => {
      const need = leastDevices(context.options.agreement, roster.parameters);
      const short = belowQuorum(answered.size, need, "uploads arrived");
      if (short !== undefined) return short;
      const survivors = indicesIn(roster, answered);
      const owners = secretOwners({ graph, commitments: sharing, survivors });
      const lacking = withoutEnoughHolders(roster, owners, survivors);
      if (lacking !== undefined) return { kind: "abandoned", ...lacking };
      const present = [...answered].filter((device) => context.isPresent(device));
      const frame = frames.make(FRAME_TYPES.survivors, { bytes: sizes.survivors(graph.size), answer: sizes.ack });
      return next(collectConfirmations(roster, sharing, [...answered]), present, () => frame);
    },
    // An upload that is in the sum cannot be taken out again.
    { keepsThoseWhoLeave: true },
  );
}

function collectConfirmations(
  roster: CountedRoster,
  sharing: ReadonlySet<number>,
  survivors: readonly DeviceId[],
): ServerStage {
  const { context, graph, indexOf, parameters, frames, sizes } = roster;
  const expected = survivors.filter((device) => context.isPresent(device));
  return collecting(
    "confirm",
    FRAME_TYPES.ack,
    expected,
    (answered) => {
      const quorum = confirmationQuorum(graph.size, parameters.corruptedTolerated);
      const short = belowQuorum(answered.size, quorum + 1, "survivors confirmed the list");
      if (short !== undefined) return short;
      const asked = [...answered].filter((device) => context.isPresent(device));
      const owners = secretOwners({ graph, commitments: sharing, survivors: indicesIn(roster, survivors) });
      const lacking = withoutEnoughHolders(roster, owners, indicesIn(roster, asked));
      if (lacking !== undefined) return { kind: "abandoned", ...lacking };
      const bytes = sizes.acks(Math.min(answered.size - 1, quorum));
      return next(collectUnmasking(roster, sharing, survivors, asked), asked, (device) => {
        const answer = sizes.unmask(neighboursIn(graph, indexOf(device), sharing));
        return frames.make(FRAME_TYPES.acks, { bytes, answer });
      });
    },
    { keepsThoseWhoLeave: true },
  );
}

function collectUnmasking(
  roster: CountedRoster,
  sharing: ReadonlySet<number>,
  survivors: readonly DeviceId[],
  asked: readonly DeviceId[],
): ServerStage {
  const { context, graph, frames, sizes } = roster;
  return collecting(
    "unmask",
    FRAME_TYPES.unmask,
    asked,
    (answered) => {
      const holders = indicesIn(roster, answered);
      const owners = secretOwners({ graph, commitments: sharing, survivors: indicesIn(roster, survivors) });
      const lacking = withoutEnoughHolders(roster, owners, holders);
      if (lacking !== undefined) return { kind: "abandoned", ...lacking };
      const present = asked.filter((device) => context.isPresent(device));
      const done = frames.make(FRAME_TYPES.done, { bytes: sizes.done });
      return {
        kind: "done",
        result: { sum: roster.sum(survivors), survivors, resultHash: new Uint8Array(32) },
        send: present.map((to) => ({ to, frame: done })),
      };
    },
    { keepsThoseWhoLeave: true },
  );
}

/** One exchange: counts the answers, and closes with those who gave theirs. */
function collecting(
  name: ExchangeStage,
  type: FrameType,
  expected: Iterable<DeviceId>,
  close: (answered: ReadonlySet<DeviceId>) => Transition,
  { keepsThoseWhoLeave = false } = {},
): ServerStage {
  const waitingFor = new Set(expected);
  const answered = new Set<DeviceId>();
  return {
    name,
    roster: undefined,
    waitingFor,
    receive(device, header) {
      if (header.type !== type) throw new DeviceFault("malformed", `message type ${header.type} during ${name}`);
      if (!waitingFor.delete(device)) throw new DeviceFault("duplicate", "it had answered already");
      answered.add(device);
    },
    leave(device) {
      waitingFor.delete(device);
      if (!keepsThoseWhoLeave) answered.delete(device);
    },
    close: () => close(answered),
  };
}

function next(stage: ServerStage, to: readonly DeviceId[], frame: (device: DeviceId) => Uint8Array): Transition {
  const send: Outgoing[] = to.map((device) => ({ to: device, frame: frame(device) }));
  return { kind: "next", stage, send };
}

function belowQuorum(have: number, need: number, what: string): Transition | undefined {
  if (have >= need) return undefined;
  return { kind: "abandoned", reason: "below-quorum", have, need, detail: `${have} ${what}, ${need} are needed` };
}

function indicesIn({ indexOf }: CountedRoster, devices: Iterable<DeviceId>): Set<number> {
  return new Set([...devices].map(indexOf));
}

function known(indices: ReadonlyMap<DeviceId, number>, device: DeviceId): number {
  const index = indices.get(device);
  if (index === undefined) throw new Error(`${device} is not in the roster`);
  return index;
}

function neighboursIn(graph: SharingGraph, index: number, among: ReadonlySet<number>): number {
  return graph.neighbours(index).reduce((count, neighbour) => count + (among.has(neighbour) ? 1 : 0), 0);
}
