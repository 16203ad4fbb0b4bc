import type { DevicePolicy } from "../client/secagg/policy.ts";
import type { StoredDevice } from "../client/storage/device-folder.ts";
import type { Trainer } from "../client/training/trainer.ts";
import { downloadModel, enrolDevices } from "../client/transport/http.ts";
import { webSocketDial } from "../client/transport/websocket.ts";
import { toHex } from "../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../shared/crypto/provider.ts";
import { MurmurError } from "../shared/protocol/errors.ts";
import type { Certificate } from "../shared/secagg/certificates.ts";
import { steadyClock } from "../shared/time/steady-clock.ts";
import {
  type FleetMember,
  type JoinedFleet,
  type JoinedFleetOptions,
  joinFleet,
} from "../simulations/fleet/joined-fleet.ts";
import type { FoundToken, JoinTarget } from "./join-target.ts";
import { toolVersion } from "./version.ts";

/** What `murmur join` was asked to do. */
export interface JoinPlan {
  readonly target: JoinTarget;
  readonly token: FoundToken | undefined;
  readonly devices: number;
  /** Absolute. */
  readonly folder: string;
  readonly engine: Trainer["engine"];
  /** At `active-server`: the pinned key, and certificates by public key in hexadecimal. */
  readonly authority: Uint8Array | undefined;
  readonly certificates: ReadonlyMap<string, Certificate>;
  readonly policy: DevicePolicy;
  readonly maxRoundsPerDay: number;
  readonly own: NonNullable<JoinedFleetOptions["own"]>;
}

export interface JoinSurroundings extends Pick<JoinedFleetOptions, "time" | "breathe" | "report"> {
  readonly devices: readonly StoredDevice[];
  readonly provider: CryptoProvider;
}

/**
 * Lets the devices of a folder loose on a coordinator, over WebSocket and HTTP.
 * @throws {MurmurError} `device-uncertified` when one of them has no certificate, and an authority is pinned
 */
export function startJoinedDevices(plan: JoinPlan, surroundings: JoinSurroundings): JoinedFleet {
  const { target, token, authority } = plan;
  const { provider, time, breathe, report } = surroundings;
  const members = surroundings.devices.map((device) => memberOf(device, plan));
  const software = `murmur/${toolVersion()} node/${process.versions.node}`;
  const world = { origin: target.origin, software, clock: steadyClock(time), provider };
  const identities = members.map(({ identity }) => identity);
  return joinFleet({
    members,
    provider,
    policy: plan.policy,
    ...(authority === undefined ? {} : { authority }),
    maxRoundsPerDay: plan.maxRoundsPerDay,
    engine: plan.engine,
    own: plan.own,
    audience: target.audience,
    software,
    time,
    dial: webSocketDial(world),
    fetchModel: (hash, bytes) => downloadModel(world, hash, bytes),
    ...(token === undefined ? {} : { enrol: () => enrolDevices(world, target.audience, token.token, identities) }),
    breathe,
    report,
  });
}

function memberOf({ key, journal, memory }: StoredDevice, { authority, certificates }: JoinPlan): FleetMember {
  const { publicKey } = key;
  const certificate = certificates.get(toHex(publicKey));
  if (authority !== undefined && certificate === undefined) {
    throw new MurmurError("device-uncertified", `There is no certificate for the device ${toHex(publicKey)}.`);
  }
  const sign = (message: Uint8Array) => key.sign(message);
  return { identity: { publicKey, sign, ...(certificate === undefined ? {} : { certificate }) }, journal, memory };
}
