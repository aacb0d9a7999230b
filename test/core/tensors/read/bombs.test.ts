/**
 * Small torch files that are made to take all time or memory: each is a clear error, or read with what is too much left
 * out. A reader without bounds works on most of these for hours.
 */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../../src/core/errors.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { openTensors, type TensorFile } from '../../../../src/core/tensors/read/index.js'
import { temporaryDirectory } from '../../../temporary.js'
import { makeZip } from '../../formats/archives/zip-bytes.js'

const latin1 = (text: string) => Buffer.from(text, 'latin1')
const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes.toString('latin1')
}
const text = (value: string) => `X${uint32(value.length)}${value}`
const number = (value: number) => `J${uint32(value)}`
const repeated = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => make(i)).join('')
const storage = `(${text('storage')}ctorch\nFloatStorage\n${text('0')}${text('cpu')}K\x04tQ`
const tensorOf = (shape: string, strides: string) =>
  `ctorch._utils\n_rebuild_tensor_v2\n(${storage}K\x00${shape}${strides}\x89ccollections\nOrderedDict\n)RtR`
const tensor = tensorOf('K\x02K\x02\x86', 'K\x02K\x01\x86')
/** The top of the stack goes to a place of the memo, and off the stack. */
const kept = (place: string) => `q${place}0`
const got = (place: string) => `h${place}`
/** A structure of 60 levels, each of which has the one below it twice: 2^60 ways to its end. */
const doubling = (make: (place: string) => string) =>
  repeated(60, (level) => `${make(String.fromCharCode(level))}${kept(String.fromCharCode(level + 1))}`)

async function open(pickle: string): Promise<TensorFile> {
  const path = join(temporaryDirectory(), 'bomb.pt')
  const data = latin1(`\x80\x04${pickle}.`)
  const parts = [
    { name: 'archive/data.pkl', data, deflate: true },
    { name: 'archive/data/0', data: Buffer.alloc(16) },
    { name: 'archive/version', data: latin1('3\n') },
  ]
  fs.writeFileSync(path, makeZip(parts))
  const file = await openTensors(localStorage(), path)
  await file.close()
  return file
}

const million = 'a'.repeat(1_000_000)

describe('is refused:', () => {
  it.each([
    [
      'a name of which each level has a million characters',
      `${tensor}${kept('\x40')}${text(million)}${kept('\x41')}${repeated(1000, () => `}${got('\x41')}`)}${got('\x40')}${'s'.repeat(1000)}`,
      /a name of more than 1048576 characters/,
    ],
    [
      'keys that share a text of a million characters',
      `${tensor}${kept('\x40')}${text(million)}${kept('\x41')}}(${repeated(20_000, (i) => `${got('\x41')}${number(i)}\x86${got('\x40')}`)}u`,
      /values in its keys/,
    ],
    [
      'keys that share a structure',
      `${tensor}${kept('\xf0')}N${kept('\x00')}${doubling((place) => `${got(place)}${got(place)}\x86`)}}(${repeated(30_000, (i) => `${number(i)}${got('\x3c')}\x86${got('\xf0')}`)}u`,
      /values in its keys/,
    ],
    [
      'lists of lists that share a structure with a tensor at its end',
      `${tensor}${kept('\x00')}${doubling((place) => `}(${text('a')}${got(place)}${text('b')}${got(place)}u`)}${got('\x3c')}`,
      null,
    ],
    [
      'modules that share modules',
      `${tensor}${kept('\x00')}${doubling((place) => `cm\nM\n)\x81}(${text('_parameters')}}${text('w')}${got('\x00')}s${text('_modules')}}(${text('a')}${got(place)}${text('b')}${got(place)}uub`)}${got('\x3c')}`,
      /further names for the same tensors/,
    ],
    [
      'thousands of tensors with one shape of a thousand dimensions',
      `(${'K\x01'.repeat(1024)}t${kept('\x50')}](${tensorOf(got('\x50'), got('\x50')).repeat(3000)}e`,
      /things to look at/,
    ],
    [
      'objects that share a state of 50,000 attributes',
      `}(${repeated(50_000, (i) => `${number(i)}]Na`)}u${kept('\x01')}cx\ny\n${kept('\x02')}](${`${got('\x02')})R${got('\x01')}b`.repeat(50_000)}e`,
      /things to look at/,
    ],
    [
      'dicts that are made of the same 100,000 pairs',
      `](${'NN\x86'.repeat(100_000)}e${kept('\x01')}ccollections\nOrderedDict\n${kept('\x02')}](${`${got('\x02')}${got('\x01')}\x85R`.repeat(50_000)}e`,
      /things to look at/,
    ],
    [
      'calls that are given the same list',
      `](${'}'.repeat(100_000)}e${kept('\x01')}cx\ny\n${kept('\x02')}](${`${got('\x02')}${got('\x01')}R`.repeat(50_000)}e`,
      /things to look at/,
    ],
    [
      'modules that share the names of their buffers',
      `\x8f(${repeated(9999, (i) => text(String(i)))}\x90${kept('\x01')}}(${text('_parameters')}}${text('_modules')}}${text('_non_persistent_buffers_set')}${got('\x01')}u${kept('\x04')}cm\nM\n)\x81}(${text('_parameters')}}${text('_modules')}}(${repeated(20_000, (i) => `${number(i)}cm\nM\n)\x81${got('\x04')}b`)}uub`,
      /things to look at/,
    ],
    [
      'attributes that lead on from each other without end',
      `c__builtin__\ngetattr\n${kept('\x01')}${text('a')}${kept('\x02')}cx\ny\n${repeated(150_000, () => `${kept('\x03')}${got('\x01')}${got('\x03')}${got('\x02')}\x86R`)}`,
      /more than 20000 levels/,
    ],
  ])('%s', async (_, pickle, message) => {
    if (message === null) {
      const { tensors, findings } = await open(pickle)
      expect(tensors).toHaveLength(2)
      expect(findings.join()).toMatch(/is the same object as/)
      return
    }
    const error = await open(pickle).then(
      () => null,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(FormatError)
    expect(error).toMatchObject({ exitStatus: 4, message: expect.stringMatching(message) as unknown })
  })
})

describe('is read, and what is too much left out:', () => {
  it('values that share a text of a million characters', async () => {
    const { findings } = await open(`${text(million)}${kept('\x01')}](${repeated(20_000, () => got('\x01'))}e`)
    expect(findings).toContain('it holds more values than are listed')
  })

  it('calls with a text of a million characters', async () => {
    const { findings, opaque } = await open(
      `cx\ny\n${kept('\x00')}${text(million)}${kept('\x01')}](${repeated(20_000, () => `${got('\x00')}${got('\x01')}\x85R`)}e`,
    )
    expect(findings).toContain('it holds more values than are listed')
    expect([...opaque]).toEqual([['x.y', 20_000]])
  })

  it('names that many tensors come to, with numbers that others have', async () => {
    const named = (key: string) => `${key}${tensor}`
    const { tensors } = await open(
      `}(${repeated(12_000, (i) => named(text(`(1,)#${i + 2}`)))}${repeated(12_000, () => named('K\x01\x85'))}u`,
    )
    expect(tensors).toHaveLength(24_000)
    expect(tensors.at(-1)?.name).toBe('(1,)#24000')
  })

  it('a key with 2^60 ways through it', async () => {
    const { values } = await open(
      `N${kept('\x00')}${doubling((place) => `${got(place)}${got(place)}\x86`)}}${got('\x3c')}Ns`,
    )
    expect(values).toMatchObject({ kind: 'dict' })
  })
})

it('a text of a million characters that is imported is told by its beginning', async () => {
  const { unsafe } = await open(
    `c__builtin__\n__import__\n${kept('\x00')}${text(million)}${kept('\x01')}](${repeated(20_000, () => `${got('\x00')}${got('\x01')}\x85R`)}e`,
  )
  expect(unsafe[0]).toMatch(/calls builtins.__import__/)
  expect(unsafe.join().length).toBeLessThan(1000)
})
