import { MurmurError } from "../../../shared/protocol/errors.ts";

/** A model that cannot be compiled to ONNX. It is thrown before training starts; another engine may train the model. */
export class UntraceableModelError extends MurmurError {
  /** The tfjs kernel that has no ONNX form here, where one is to blame. */
  readonly kernel: string | undefined;
  /** The layer that called it, where known. */
  readonly layer: string | undefined;

  constructor(reason: string, where: { kernel?: string | undefined; layer?: string | undefined } = {}) {
    const layer = where.layer === undefined ? "" : ` (layer "${where.layer}")`;
    super("model-untraceable", `The onnx engine cannot train this model: ${reason}${layer}.`);
    this.kernel = where.kernel;
    this.layer = where.layer;
  }
}
