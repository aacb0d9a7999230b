/** Averaging: which tensors of several files can be averaged, and their mean written to a file. */
export {
  average,
  planAverage,
  type AverageOptions,
  type AverageOutput,
  type AveragePlan,
  type AverageWork,
} from './average.js'
export type { Precision } from './kernel.js'
