/** What W&B 0.31 keeps of a run that was never sent, and what it may look like when it was cut. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../../src/core/errors.js'
import { readWandbLog } from '../../../../src/core/formats/protobuf/wandb-log.js'

const written = readFileSync(
  join(import.meta.dirname, '..', '..', '..', 'fixtures', 'formats', 'wandb', 'run-fbfm65zd.wandb'),
)

/** A field of bytes of a protocol buffer; lengths below 2^14. */
function field(number: number, bytes: Uint8Array): Buffer {
  const varint = (value: number) => (value < 128 ? [value] : [(value & 0x7f) | 0x80, value >> 7])
  return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]), bytes])
}

const item = (key: string, json: string) =>
  field(1, Buffer.concat([field(1, Buffer.from(key)), field(16, Buffer.from(json))]))

/** The records as W&B cuts them into blocks of 32 kB. */
function logOf(...records: readonly Uint8Array[]): Buffer {
  const parts = [Buffer.from(':W&B\xe1\xbe\0', 'latin1')]
  let at = 7
  for (const record of records) {
    for (let from = 0, isFirst = true; isFirst || from < record.length; isFirst = false) {
      const left = 32_768 - (at % 32_768)
      if (left < 7) {
        parts.push(Buffer.alloc(left))
        at += left
        continue
      }
      const some = record.subarray(from, from + left - 7)
      const isLast = from + some.length === record.length
      const kind = isFirst ? (isLast ? 1 : 2) : isLast ? 4 : 3
      parts.push(Buffer.from([0, 0, 0, 0, some.length & 0xff, some.length >> 8, kind]), Buffer.from(some))
      from += some.length
      at += 7 + some.length
    }
  }
  return Buffer.concat(parts)
}

describe('a log of W&B', () => {
  it('has the name and the settings of its run, also those that were added later', () => {
    const { name, settings } = readWandbLog(written)
    expect(name).toBe('sunny-day-3')
    expect([...settings]).toEqual([
      ['lr', 0.1],
      [
        'opt',
        new Map<string, unknown>([
          ['name', 'adam'],
          ['betas', [0.9, 0.99]],
        ]),
      ],
      ['note', 'a/b'],
      ['late', new Map([['a', 1]])],
    ])
  })

  it('may be cut anywhere: what is whole before that counts', () => {
    for (let length = 7; length < written.length; length += 13) {
      const { name } = readWandbLog(written.subarray(0, length))
      expect([null, 'sunny-day-3']).toContain(name)
    }
    expect(readWandbLog(written.subarray(0, 7))).toEqual({ name: null, settings: new Map() })
  })

  it('has records of more than one block', () => {
    const long = field(10, Buffer.alloc(5000))
    const config = field(5, item('lr', '0.5'))
    const many = Array.from({ length: 20 }, () => long)
    expect([...readWandbLog(logOf(...many, config)).settings]).toEqual([['lr', 0.5]])
    expect([...readWandbLog(logOf(Buffer.concat([...many, config]))).settings]).toEqual([['lr', 0.5]])
  })

  it('costs no more than it is long where a large record is followed by last parts alone', () => {
    const record = logOf(Buffer.concat(Array.from({ length: 100 }, () => field(7, Buffer.alloc(16_000)))))
    const last = Buffer.from([0, 0, 0, 0, 0, 0, 4])
    const parts = Array.from({ length: Math.floor(32_768 / last.length) }, () => last)
    const block = Buffer.concat([...parts, Buffer.alloc(32_768 % last.length)])
    const rest = Buffer.alloc(32_768 - (record.length % 32_768), last)
    // As the whole record again and again it would be 500 GB to copy.
    const log = Buffer.concat([record, rest, ...Array.from({ length: 78 }, () => block)])
    expect(readWandbLog(log).settings.size).toBe(0)
  })

  it('is refused where it begins as something else, or a record is none', () => {
    expect(() => readWandbLog(Buffer.from('hello, world'))).toThrow(FormatError)
    expect(() => readWandbLog(logOf(Buffer.from([0xff, 0xff])))).toThrow(FormatError)
  })
})
