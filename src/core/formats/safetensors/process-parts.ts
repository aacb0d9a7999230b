/**
 * Names that HuggingFaceStorageWriter of torch.distributed.checkpoint gives the files of each process
 * (torch/distributed/checkpoint/_hf_utils.py, `_gen_file_name`): `shard-00002-model-00001-of-00003.safetensors`.
 */
const name = /^((?:.*\/)?shard-)(\d{5,})-model-(\d{5,})-of-(\d{5,})\.safetensors$/
const stem = /(?:^|\/)shard-\d{5,}-model$/

export interface ProcessPart {
  /** Before and after the number of the process. */
  readonly start: string
  readonly rest: string
  /** From 1 on; how many processes there were is written nowhere. */
  readonly process: number
  /** From 1 on. */
  readonly file: number
  readonly files: number
}

/** Of a file's name, or of a path that ends with it; null where it is another. */
export function processPart(path: string): ProcessPart | null {
  const [, start, process, file, files] = name.exec(path) ?? []
  if (start === undefined || process === undefined) return null
  const rest = path.slice(start.length + process.length)
  return { start, rest, process: Number(process), file: Number(file), files: Number(files) }
}

/** The path with another process's number. */
export function pathOfProcess({ start, rest }: ProcessPart, process: number): string {
  return `${start}${String(process).padStart(5, '0')}${rest}`
}

/** Whether a shard's name up to `-00001-of-00003` is that of one process's files. */
export function isStemOfProcess(path: string): boolean {
  return stem.test(path)
}
