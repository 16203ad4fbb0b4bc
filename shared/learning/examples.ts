/** Labelled examples on one device, or a public test set. */
export interface Examples {
  /** count × (product of inputShape) values, row by row. */
  readonly inputs: Float32Array;
  /** count class indices, or count × outputs targets, row by row: which of them, the model's loss says. */
  readonly labels: Int32Array | Float32Array;
  /** Shape of one input, without the batch dimension: [784] or [28, 28, 1]. Models reshape as they need. */
  readonly inputShape: readonly number[];
  readonly count: number;
}
