/**
 * What a device keeps between the rounds of a task: SCAFFOLD's control variate. It is made of the device's own gradients,
 * so it is as private as its examples, and never leaves it.
 *
 * A round that the device saw to its end may still be lost with the coordinator, before it was stored. So what the round
 * before it left is kept too, and every later round says which rounds were lost.
 */
export interface DeviceMemory {
  /**
   * What was kept of the latest round of this task that was not lost, or undefined. Forgets, for good, what was kept of
   * those that were (16 bytes each).
   */
  recall(taskId: Uint8Array, lost: readonly Uint8Array[]): Float32Array | undefined;
  /** Durable when it returns. `roundId` is later than every round that is kept. */
  keep(taskId: Uint8Array, roundId: Uint8Array, memory: Float32Array): void;
}
