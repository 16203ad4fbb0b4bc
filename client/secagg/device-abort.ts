import type { AbortCode } from "../../shared/protocol/reasons.ts";

/** A check that failed: the device gives up the session, wipes its keys and tells the code. Carries no secret. */
export class DeviceAbort extends Error {
  override readonly name = "DeviceAbort";
  readonly code: AbortCode;

  constructor(code: AbortCode, detail: string) {
    super(detail);
    this.code = code;
  }
}
