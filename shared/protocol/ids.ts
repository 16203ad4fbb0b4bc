/** The coordinator's name for a device, one for each connection that is let in. It is never part of any key or hash. */
export type DeviceId = string & { readonly brand: "DeviceId" };

/** The name of a place in a simulated fleet of `size` devices: "d-0042". It names the place's streams of the seed. */
export function simulatedDeviceName(index: number, size: number): DeviceId {
  const digits = Math.max(4, String(size - 1).length);
  return `d-${String(index).padStart(digits, "0")}` as DeviceId;
}

/** The place that such a name is of; undefined for any other text. */
export function simulatedDeviceIndex(name: string): number | undefined {
  const digits = /^d-(\d{4,15})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
