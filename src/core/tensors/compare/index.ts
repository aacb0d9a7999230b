/** What differs between two files of tensors. */
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
export { haveSameValues } from './same.js'
