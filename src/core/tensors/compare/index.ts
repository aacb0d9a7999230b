/** Comparing: which names, shapes, dtypes and values of two files of tensors differ. */
export {
  compareTensors,
  isComparable,
  measureValues,
  type Both,
  type CompareOptions,
  type Comparison,
  type Measured,
} from './compare.js'
export type { Distance } from './kernel.js'
export { findPrefixBetween, type PrefixBetween } from './prefix-between.js'
export { haveSameValues } from './same.js'
