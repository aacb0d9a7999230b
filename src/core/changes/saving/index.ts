/** A new checkpoint from files and meta. */
export type { FileToSave, Placement, Through } from './file-to-save.js'
export { fileNameOf } from './checkpoint-names.js'
export { isSavedByCkpt } from './saved-by-ckpt.js'
export { toPyMeta, toPyValues, type MetaFacts, type MetaInput, type MetaInputs } from './meta-input.js'
export { parseMetaValue } from './meta-value.js'
export { previewSave, saveCheckpoint, type NewCheckpoint, type Preview, type Saved, type SaveOptions } from './save.js'
