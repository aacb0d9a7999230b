/** Complex numbers, in the notation of Python. */
import { FormatError } from '../../errors.js'
import { quote } from '../text/quote.js'
import type { PyComplex } from './value.js'

const number = String.raw`(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|inf(?:inity)?|nan`
const both = new RegExp(`^(?:([-+]?(?:${number})))?(?:([-+](?:${number})?)j)?$`, 'i')

/** Python's complex(text): `1.5`, `2j`, `1-2j`, `(1+2j)`, `nan+infj`. Throws FormatError where Python raises. */
export function parseComplex(text: string): PyComplex {
  const bare = text
    .trim()
    .replace(/^\((.*)\)$/, '$1')
    .trim()
  const lone = new RegExp(`^([-+]?(?:${number})?)j$`, 'i').exec(bare)
  const match = lone ?? both.exec(bare)
  if (bare === '' || match === null) throw new FormatError(`${quote(text)} is not a complex number`)
  const [real, imaginary] = lone === null ? [match[1], match[2]] : [undefined, match[1]]
  return {
    kind: 'complex',
    real: real === undefined ? 0 : toNumber(real),
    imaginary: imaginary === undefined ? 0 : toNumber(/[0-9a-z]/i.test(imaginary) ? imaginary : `${imaginary}1`),
  }
}

function toNumber(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1
  const bare = text.replace(/^[-+]/, '').replaceAll('_', '').toLowerCase()
  if (bare.startsWith('inf')) return sign * Infinity
  return bare === 'nan' ? NaN : sign * Number(bare)
}
