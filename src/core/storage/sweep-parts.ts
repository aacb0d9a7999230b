/** Files in parts that threads take, and what these found put together again. */
import { combineCrc32 } from '../crc32.js'
import { StorageError } from '../errors.js'
import type { Range, Result, Sweep, SweepSums } from './storage.js'
import type { SweepAnswer, SweepTask } from './sweep-loop.js'

/** Bytes of a file that one thread reads in one go. */
export const taskSize = 16 << 20

/** Parts of one size, so that one large file occupies all threads. A SHA-256 can only be computed from end to end. */
export function splitFile({ path, size, ranges, sha256 }: Sweep): SweepTask[] {
  const length = sha256 ? Math.max(size, 1) : taskSize
  const pieces = Array.from({ length: Math.max(1, Math.ceil(size / length)) }, (): Range[] => [])
  for (const piece of ranges.flatMap((range) => cut(range, length))) {
    pieces[Math.floor(piece.position / length)]?.push(piece)
  }
  return pieces.map((own, index) => {
    const from = index * length
    return { path, from, to: Math.min(from + length, size), ranges: own, sha256 }
  })
}

/** At the multiples of `length`; nothing of an empty range. */
function cut(range: Range, length: number): Range[] {
  const pieces: Range[] = []
  const end = range.position + range.length
  for (let position = range.position; position < end;) {
    const next = Math.min(end, (Math.floor(position / length) + 1) * length)
    pieces.push({ position, length: next - position })
    position = next
  }
  return pieces
}

export function joinAnswers(
  { path, size, ranges }: Sweep,
  tasks: readonly SweepTask[],
  answers: readonly (SweepAnswer | undefined)[],
  describe: (path: string, errno: string) => StorageError,
): Result<SweepSums> {
  const pieces: { readonly range: Range; readonly crc: number }[] = []
  let sha256: string | null = null
  for (const [index, answer] of answers.entries()) {
    if (answer === undefined) return { ok: false, error: describe(path, 'EIO') }
    if ('errno' in answer) return { ok: false, error: describe(path, answer.errno) }
    if ('endedAt' in answer) {
      const message = `${path}: ends at byte ${answer.endedAt} while ${size} were expected; did it change?`
      return { ok: false, error: new StorageError(path, 'EIO', message) }
    }
    tasks[index]?.ranges.forEach((range, at) => pieces.push({ range, crc: answer.crcs[at] ?? 0 }))
    sha256 = answer.sha256
  }
  return { ok: true, value: { crcs: joinPieces(ranges, pieces), sha256 } }
}

/** Pieces come in the order of the ranges that they were cut from. */
function joinPieces(ranges: readonly Range[], pieces: readonly { range: Range; crc: number }[]): number[] {
  let next = 0
  return ranges.map(({ position, length }) => {
    let crc = 0
    for (let piece = pieces[next]; piece !== undefined; piece = pieces[next]) {
      if (piece.range.position >= position + length) break
      crc = combineCrc32(crc, piece.crc, piece.range.length)
      next += 1
    }
    return crc
  })
}
