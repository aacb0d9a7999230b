/** Choosing and changing the names of tensors. */
export {
  compileFilter,
  compileMapping,
  parseMapEntry,
  parseMapFile,
  type NameMapping,
  type NameRules,
} from './mapping.js'
