/**
 * Where a session says that an upload is about to leave. The entry is durable, synced, when the call returns
 * (`secure-aggregation.md` section 2, "Key schedule"); when it throws, nothing leaves.
 */
export interface UploadJournal {
  recordUpload(taskId: Uint8Array, roundId: Uint8Array, modelHash: Uint8Array): void;
}
