/** Reading meta files: the usual ones by a quick parser, the others by the full one. */
import type { Meta } from '../../checkpoint.js'
import { FormatError } from '../../errors.js'
import { isUnsafe } from '../../formats/pickle/index.js'
import { loadPyYaml, parsePlain } from '../../formats/pyyaml/index.js'
import { byteText } from '../../formats/text/text.js'
import { readFlat } from './flat.js'
import { toMeta } from './to-meta.js'

/**
 * Reads meta files (SpeechBrain's CKPT.yaml), one answer per input in the same order: the meta, or what is wrong with
 * the file in words that follow its name and a colon (`is empty`, `not text: …`, `line 3, column 5: …`). One bad file says
 * nothing about the others. The parser for the unusual ones is loaded only when one is met.
 */
export async function readMetas(files: readonly Uint8Array[]): Promise<(Meta | FormatError)[]> {
  const answers: (Meta | FormatError)[] = []
  const rest = new Map<number, string>()
  for (const [index, bytes] of files.entries()) {
    // Right for ASCII, which is all that the fast path takes: other bytes come out as characters beyond it.
    const answer = readPlain(byteText(bytes)) ?? decode(bytes)
    if (typeof answer === 'string') rest.set(index, answer)
    else answers[index] = answer
  }
  if (rest.size > 0) {
    const parse = await loadPyYaml()
    for (const [index, text] of rest) answers[index] = attempt(() => toMeta(parse(text, refuseUnsafe)))
  }
  return answers
}

/** SpeechBrain reads a meta with a loader that calls what the tags name (speechbrain/utils/checkpoints.py). */
function refuseUnsafe(name: string, handed: readonly string[]): void {
  const what = isUnsafe(name) ? `calls ${name}` : handed.filter(isUnsafe).map((one) => `hands ${one} to ${name}`)[0]
  if (what === undefined) return
  throw new FormatError(`unsafe: a tag ${what}, which loading it with Python would run`)
}

function readPlain(text: string): Meta | FormatError | undefined {
  const flat = readFlat(text)
  if (flat !== undefined) return flat
  const value = parsePlain(text)
  return value === undefined ? undefined : attempt(() => toMeta(value))
}

function attempt(read: () => Meta): Meta | FormatError {
  try {
    return read()
  } catch (error) {
    if (error instanceof FormatError) return error
    throw error
  }
}

function decode(bytes: Uint8Array): string | FormatError {
  if (bytes.length === 0) return new FormatError('empty: 0 bytes', { offset: 0 })
  const zero = bytes.indexOf(0)
  if (zero !== -1) return notText(`byte ${zero} of ${bytes.length} is zero`, zero)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    const offset = firstInvalid(bytes)
    return notText(`byte ${offset} of ${bytes.length} is not UTF-8`, offset, cause)
  }
}

function notText(what: string, offset: number, cause?: unknown): FormatError {
  return new FormatError(`not text: ${what}`, { offset, cause })
}

/** The first byte that cannot stand where it does, found by halving: a decoder tells only that there is one. */
function firstInvalid(bytes: Uint8Array): number {
  let good = 0
  let bad = bytes.length
  while (bad - good > 1) {
    const middle = (good + bad) >> 1
    if (isPrefixValid(bytes.subarray(0, middle))) good = middle
    else bad = middle
  }
  return bad - 1
}

/** True when the bytes are UTF-8 as far as they go; a character may be cut at the end. */
function isPrefixValid(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    return true
  } catch {
    return false
  }
}
