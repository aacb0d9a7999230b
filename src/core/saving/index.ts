/** A new checkpoint from files and meta. */
export type { FileSource, Placement } from './file-source.js'
export { fileNameOf } from './keys.js'
export { toPyMeta, type MetaFacts, type MetaInput, type MetaInputs } from './meta-input.js'
export { saveCheckpoint, type NewCheckpoint, type Saved, type SaveOptions } from './save.js'
