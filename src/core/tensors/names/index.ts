/** Choosing and changing the names of tensors. */
export {
  compileMapping,
  parseMapEntries,
  parseMapFile,
  type NameMapping,
  type NameRule,
  type NameRules,
} from './mapping.js'
export { parseFuse, parseSplit, type Rearrangement, type Regrouping } from './rearrangement.js'
export { nameFilter, type NameFilter } from './name-filter.js'
