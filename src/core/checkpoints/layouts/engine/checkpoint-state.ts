/**
 * TensorFlow's `checkpoint`: a CheckpointState in protocol buffers' text format (tensorflow/python/training/
 * checkpoint_state.proto). A manager that reads it back fails when there are times and not one for each path
 * (tensorflow/python/checkpoint/checkpoint_management.py), and takes the last path for the newest.
 */

/** One path as it stands there: with its quotes' contents still escaped. */
export interface StatePath {
  readonly raw: string
  readonly path: string
}

export interface CheckpointState {
  readonly model: string | null
  readonly rawModel: string | null
  readonly all: readonly StatePath[]
  /** As written; as many as paths, or none. */
  readonly times: readonly string[]
  /** Lines that say something else. */
  readonly others: readonly string[]
}

const field = /^\s*([a-z_]+)\s*:\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(\S+))\s*$/

export function parseCheckpointState(text: string): CheckpointState {
  let rawModel: string | null = null
  const all: StatePath[] = []
  const times: string[] = []
  const others: string[] = []
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    const [, key, double, single, bare] = field.exec(line) ?? []
    const raw = double ?? single
    if (key === 'model_checkpoint_path' && raw !== undefined) rawModel = raw
    else if (key === 'all_model_checkpoint_paths' && raw !== undefined) all.push({ raw, path: unescaped(raw) })
    else if (key === 'all_model_checkpoint_timestamps' && bare !== undefined) times.push(bare)
    else others.push(line)
  }
  return { model: rawModel === null ? null : unescaped(rawModel), rawModel, all, times, others }
}

/** As TensorFlow writes it: each field on a line, in the order of their numbers. */
export function writeCheckpointState({
  rawModel,
  all,
  times,
  others,
}: Pick<CheckpointState, 'rawModel' | 'all' | 'times' | 'others'>): string {
  return [
    ...(rawModel === null ? [] : [`model_checkpoint_path: "${rawModel}"`]),
    ...all.map(({ raw }) => `all_model_checkpoint_paths: "${raw}"`),
    ...times.map((time) => `all_model_checkpoint_timestamps: ${time}`),
    ...others,
  ]
    .map((line) => `${line}\n`)
    .join('')
}

const letters: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, a: 7, b: 8, f: 12, v: 11 }

/** Text format escapes bytes, and paths are UTF-8. */
function unescaped(raw: string): string {
  if (!raw.includes('\\')) return raw
  const bytes: number[] = []
  for (const [all, octal, hex, letter] of raw.matchAll(/\\([0-7]{1,3})|\\[xX]([0-9a-fA-F]{1,2})|\\(.)|[^\\]+/gs)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 0xff)
    else if (hex !== undefined) bytes.push(Number.parseInt(hex, 16))
    else if (letter !== undefined) bytes.push(...(letters[letter] === undefined ? encode(letter) : [letters[letter]]))
    else bytes.push(...encode(all))
  }
  return new TextDecoder().decode(Uint8Array.from(bytes))
}

/** For what stands between double quotes: all but printable ASCII as octal bytes. */
export function escaped(path: string): string {
  return [...encode(path)]
    .map((byte) => {
      if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`
      return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`
    })
    .join('')
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
