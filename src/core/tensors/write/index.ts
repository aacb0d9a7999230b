/** Files of tensors that come to be. */
export { formatFor, metadataLike } from './format.js'
export { Pace, type LongWork } from './long-work.js'
export { ensurePlaceable, place, temporaryPath } from './publish-file.js'
export { pourAsIs, pourCast } from './tensor-bytes.js'
export { FileSink, type Sink } from './sink.js'
export {
  writeOutput,
  type Output,
  type OutputFormat,
  type OutputTensor,
  type WriteOptions,
  type WrittenOutput,
} from './write.js'
