/** The coordinator's name for a device, one for each connection that is let in. It is never part of any key or hash. */
export type DeviceId = string & { readonly brand: "DeviceId" };
