/** The mean of several files of tensors. */
export {
  average,
  planAverage,
  type AverageOptions,
  type AverageOutput,
  type AveragePlan,
  type AverageWork,
} from './average.js'
export type { Precision } from './kernel.js'
