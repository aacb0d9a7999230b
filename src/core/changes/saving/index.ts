/** A new checkpoint from files and meta. */
export type { FileSource, Placement, Through } from './file-source.js'
export { fileNameOf } from './keys.js'
export { toPyMeta, toPyValues, type MetaFacts, type MetaInput, type MetaInputs } from './meta-input.js'
export { parseMetaValue } from './meta-value.js'
export { previewSave, saveCheckpoint, type NewCheckpoint, type Preview, type Saved, type SaveOptions } from './save.js'
