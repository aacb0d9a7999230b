/** Files of tensors that come to be. */
export { formatFor, keepsSurroundings, metadataLike, withFormat } from './format.js'
export { ensureNothingLost, lossesOf, tellCounts, tellLoss } from './losses.js'
export { Pace, type LongWork } from './long-work.js'
export { ensurePlaceable, place, temporaryPath } from './publish-file.js'
export { pourAsIs, pourCast } from './tensor-bytes.js'
export { structureOf, type OutputStructure } from './torch-archive.js'
export { FileSink, type Sink } from './sink.js'
export {
  writeOutput,
  type Output,
  type OutputFormat,
  type OutputTensor,
  type WriteOptions,
  type WrittenOutput,
} from './write.js'
