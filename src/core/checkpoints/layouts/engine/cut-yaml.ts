/** Detects YAML files that were cut off: what is left of them may still parse. */
import type { Finding, Meta } from '../../../checkpoint.js'
import type { Result } from '../../../storage/storage.js'

/** At least this many others must end properly before one that does not counts as cut. */
const fewestWitnesses = 2
const newline = 0x0a

/**
 * PyYAML ends every line: a text whose last line has no end, where most have one, was not written to its end. The
 * answers in order, with a finding in place of what was cut.
 */
export function explainCut(
  metas: readonly (Meta | Finding | null)[],
  texts: readonly Result<Uint8Array>[],
  files: readonly (string | undefined)[],
): readonly (Meta | Finding | null)[] {
  const isEnded = (index: number): boolean => {
    const text = texts[index]
    return text?.ok === true && text.value.at(-1) === newline
  }
  const read = metas.flatMap((meta, index) => (isRead(meta) ? [{ meta, ended: isEnded(index) }] : []))
  const witnesses = read.filter(({ ended }) => ended)
  const cut = read.length - witnesses.length
  if (cut === 0 || witnesses.length < Math.max(fewestWitnesses, cut + 1)) return metas
  const haveTime = witnesses.every(({ meta }) => meta.has('unixtime'))
  return metas.map((meta, index) => {
    const text = texts[index]
    if (!isRead(meta) || isEnded(index) || text?.ok !== true) return meta
    const lacks = haveTime && !meta.has('unixtime') ? ', and no unixtime' : ''
    const others = `which each of ${witnesses.length} other checkpoints has`
    const reason = `ends early: ${text.value.length} bytes, the last line without its end${lacks}, ${others}`
    const file = files[index]
    return { grade: 'corrupt', ...(file === undefined ? {} : { file }), reason }
  })
}

function isRead(meta: Meta | Finding | null): meta is Meta {
  return meta instanceof Map
}
