import type { KernelTable } from "../kernel.ts";
import { CONVOLUTION } from "./convolution.ts";
import { DENSE } from "./dense.ts";
import { ELEMENTWISE } from "./elementwise.ts";
import { POOLING } from "./pooling.ts";
import { SHAPES_AND_SUMS } from "./shapes-and-sums.ts";

/** Every tfjs kernel that can be traced, by the name that tfjs gives it. */
export const KERNELS: KernelTable = { ...ELEMENTWISE, ...SHAPES_AND_SUMS, ...DENSE, ...CONVOLUTION, ...POOLING };
