import type { KernelTable } from "../kernel.ts";
import { AVERAGE_POOLING } from "./average-pooling.ts";
import { CONVOLUTION } from "./convolution.ts";
import { DENSE } from "./dense.ts";
import { DEPTHWISE } from "./depthwise.ts";
import { ELEMENTWISE } from "./elementwise.ts";
import { NORMALISATION } from "./normalisation.ts";
import { sumOfPooledGradient } from "./pooled-convolution.ts";
import { POOLING } from "./pooling.ts";
import { REARRANGING } from "./rearranging.ts";
import { SHAPES_AND_SUMS } from "./shapes-and-sums.ts";
import { withShorterForms } from "./softmax-loss.ts";
import { SUM_OF_PRODUCTS } from "./sum-of-products.ts";
import { addSumOfRows } from "./sum-of-rows.ts";

const { Sum } = SHAPES_AND_SUMS;

/** Every tfjs kernel that can be traced, by the name that tfjs gives it. */
export const KERNELS: KernelTable = withShorterForms({
  ...ELEMENTWISE,
  ...SHAPES_AND_SUMS,
  ...DENSE,
  ...CONVOLUTION,
  ...POOLING,
  ...REARRANGING,
  ...NORMALISATION,
  ...DEPTHWISE,
  ...AVERAGE_POOLING,
  ...SUM_OF_PRODUCTS,
  Sum: {
    ...Sum,
    lower: (kernel, context) => sumOfPooledGradient(kernel, context) ?? Sum.lower(kernel, context),
    addTo: addSumOfRows,
  },
});
