/** Durations (`30m`, `1h30m`) in seconds and sizes (`1GB`, `1GiB`, `500G`) in bytes, as written in flags and expressions. */

const secondsOf: ReadonlyMap<string, number> = new Map([
  ['ms', 0.001],
  ['s', 1],
  ['m', 60],
  ['min', 60],
  ['h', 3600],
  ['d', 86_400],
  ['w', 604_800],
])

/** `K` and `KB` are thousands, `KiB` is 1024, as the SI and IEC have it. */
const bytesOf: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ...['k', 'K', 'M', 'G', 'T', 'P'].flatMap((letter): [string, number][] => {
    const power = 'KMGTP'.indexOf(letter.toUpperCase()) + 1
    return [
      [letter, 1000 ** power],
      [`${letter}B`, 1000 ** power],
      [`${letter}iB`, 1024 ** power],
    ]
  }),
])

const amount = String.raw`(?:\d+(?:_\d+)*(?:\.\d*)?|\.\d+)`
const oneDuration = new RegExp(`(${amount})(ms|min|[smhdw])`, 'gy')
const oneSize = new RegExp(`^(${amount})([kKMGTP]?(?:iB|B)?)$`)

/** Seconds of `2d`, `1h30m`, `0.5h`; undefined when the text is not a duration (a bare number is none). */
export function parseDuration(text: string): number | undefined {
  let seconds = 0
  let end = 0
  for (const [whole, count, unit] of text.matchAll(oneDuration)) {
    seconds += toNumber(count) * (secondsOf.get(unit ?? '') ?? NaN)
    end += whole.length
  }
  return end > 0 && end === text.length ? seconds : undefined
}

/** Bytes of `1GB`, `1GiB`, `500G`, `12B`; undefined when the text is not a size (a bare number is none). */
export function parseSize(text: string): number | undefined {
  const [, count, unit] = oneSize.exec(text) ?? []
  const bytes = bytesOf.get(unit ?? '')
  return bytes === undefined ? undefined : toNumber(count) * bytes
}

function toNumber(digits: string | undefined): number {
  return Number((digits ?? '').replaceAll('_', ''))
}
