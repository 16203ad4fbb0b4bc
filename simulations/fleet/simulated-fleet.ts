import { createDevice, type Device, type DeviceOptions } from "../../client/device.ts";
import type { DeviceJournal } from "../../client/journal.ts";
import type { DeviceMemory } from "../../client/memory.ts";
import type { DevicePolicy } from "../../client/secagg/policy.ts";
import { rememberUploads, type UploadMemory } from "../../client/storage/upload-memory.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { type DeviceId, simulatedDeviceIndex, simulatedDeviceName } from "../../shared/protocol/ids.ts";
import type { Certificate } from "../../shared/secagg/certificates.ts";
import type { FleetUpload } from "./fleet-journal.ts";

/** Signs a device's key, as the enrolment authority would. */
export type Certify = (devicePublicKey: Uint8Array) => Certificate;

export interface SimulatedFleetOptions {
  readonly size: number;
  readonly provider: CryptoProvider;
  readonly policy: DevicePolicy;
  /** At `active-server`: the authority that the devices pin, and its signature on a device's key. */
  readonly authority?: { readonly publicKey: Uint8Array; readonly certify: Certify };
  /** Uploads that left in an earlier process of this run. */
  readonly uploads: readonly FleetUpload[];
  /** Makes an upload durable before it leaves. */
  recordUpload(upload: FleetUpload): void;
  /** What a device keeps between rounds. */
  memoryOf(device: DeviceId): DeviceMemory;
  observeInput(device: DeviceId, roundId: Uint8Array, input: Int32Array): void;
}

/** The devices of one process: each a state machine with keys of its own, made when it is first spoken to. */
export interface SimulatedFleet {
  /** The name of the device at a place in the partition of the data. */
  name(index: number): DeviceId;
  device(id: DeviceId): Device;
  /** Its place in the partition of the data. */
  index(id: DeviceId): number;
  hasUploaded(id: DeviceId, modelHash: Uint8Array): boolean;
  /** Takes an upload for one that has left, of a round that is not played here. */
  recall(upload: FleetUpload): void;
}

export function createSimulatedFleet(options: SimulatedFleetOptions): SimulatedFleet {
  const { provider, authority } = options;
  const machines = new Map<DeviceId, Device>();
  const uploads = new Map<DeviceId, UploadMemory>();
  for (const upload of options.uploads) recall(upload);

  function recall({ device, ...entry }: FleetUpload): void {
    uploadsOf(device).add(entry);
  }

  function uploadsOf(id: DeviceId): UploadMemory {
    const known = uploads.get(id);
    if (known !== undefined) return known;
    const fresh = rememberUploads();
    uploads.set(id, fresh);
    return fresh;
  }

  function journalOf(id: DeviceId): DeviceJournal {
    const memory = uploadsOf(id);
    return {
      ...memory,
      record(entry) {
        options.recordUpload({ device: id, ...entry });
        memory.add(entry);
      },
    };
  }

  function make(id: DeviceId): Device {
    const key = provider.generateEd25519();
    const certificate = authority?.certify(key.publicKey);
    const deviceOptions: DeviceOptions = {
      name: id,
      provider,
      identity: {
        publicKey: key.publicKey,
        sign: (message) => key.sign(message),
        ...(certificate === undefined ? {} : { certificate }),
      },
      ...(authority === undefined ? {} : { authority: authority.publicKey }),
      policy: options.policy,
      acceptsSimulation: true,
      // Virtual time passes faster than days do.
      maxRoundsPerDay: Number.POSITIVE_INFINITY,
      journal: journalOf(id),
      memory: options.memoryOf(id),
      observeInput: (roundId, input) => options.observeInput(id, roundId, input),
    };
    return createDevice(deviceOptions);
  }

  return {
    name: (index) => simulatedDeviceName(index, options.size),
    device(id) {
      const known = machines.get(id);
      if (known !== undefined) return known;
      const fresh = make(id);
      machines.set(id, fresh);
      return fresh;
    },
    index(id) {
      const index = simulatedDeviceIndex(id);
      if (index === undefined || index >= options.size) throw new Error(`there is no device ${id} in this fleet`);
      return index;
    },
    hasUploaded: (id, modelHash) => uploadsOf(id).hasUploaded(modelHash),
    recall,
  };
}
