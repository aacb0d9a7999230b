import {
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  appendFileSync,
  openSync,
  writeSync,
  closeSync,
} from 'node:fs'
import { execFileSync } from 'node:child_process'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Checkpoint, Finding } from '../../../../src/core/checkpoint.js'
import { checkHealth, checkStructure } from '../../../../src/core/checkpoints/health/index.js'
import { loadRun, measure } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeZip } from '../../formats/archives/zip-bytes.js'
import { copyFixture, fixtures, makeFolder, write } from '../layouts/folders.js'

const storage = localStorage()
/** torch.save(OrderedDict(w=[[1,2],[3,4]], n=7), _use_new_zipfile_serialization=False), torch 2.13. */
const legacy = Buffer.from(
  'gAKKCmz8nEb5IGqoUBkugAJN6QMugAJ9cQAoWBAAAABwcm90b2NvbF92ZXJzaW9ucQFN6QNYDQAAAGxpdHRsZV9lbmRpYW5xAohYCgAAAHR5cGVfc2l6ZXNxA31xBChYBQAAAHNob3J0cQVLAlgDAAAAaW50cQZLBFgEAAAAbG9uZ3EHSwR1dS6AAmNjb2xsZWN0aW9ucwpPcmRlcmVkRGljdApxAClScQEoWAEAAAB3cQJjdG9yY2guX3V0aWxzCl9yZWJ1aWxkX3RlbnNvcl92MgpxAygoWAcAAABzdG9yYWdlcQRjdG9yY2gKRmxvYXRTdG9yYWdlCnEFWA4AAAA5NDczNTk1MTUxMTc2MHEGWAMAAABjcHVxB0sETnRxCFFLAEsCSwKGcQlLAksBhnEKiWgAKVJxC3RxDFJxDVgBAAAAbnEOaAMoKGgEY3RvcmNoCkxvbmdTdG9yYWdlCnEPWA4AAAA5NDczNTk1MTUxMTkwNHEQaAdLAU50cRFRSwApKYloAClScRJ0cRNScRR1LoACXXEAKFgOAAAAOTQ3MzU5NTE1MTE3NjBxAVgOAAAAOTQ3MzU5NTE1MTE5MDRxAmUuBAAAAAAAAAAAAIA/AAAAQAAAQEAAAIBAAQAAAAAAAAAHAAAAAAAAAA==',
  'base64',
)

async function grade(run: string, level: 'quick' | 'deep'): Promise<Checkpoint[]> {
  const { checkpoints } = await loadRun(storage, run)
  return checkHealth(storage, checkpoints, checkpoints, level)
}

function findingsOf(checkpoints: readonly Checkpoint[], name: string): readonly Finding[] {
  return checkpoints.find((checkpoint) => checkpoint.name === name)?.health.findings ?? []
}

function firstWhole(checkpoints: readonly Checkpoint[]): string | undefined {
  return checkpoints.findLast((checkpoint) => checkpoint.health.grade === 'whole')?.name
}

/** A run of three, whose files the caller changes afterwards. */
function makeRun(files: Readonly<Record<string, string | Uint8Array>>): string {
  const root = makeFolder()
  for (const name of ['CKPT+1', 'CKPT+2', 'CKPT+3']) {
    write(root, { [`${name}/CKPT.yaml`]: 'unixtime: 1.0\n' })
    for (const [file, content] of Object.entries(files)) write(root, { [`${name}/${file}`]: content })
  }
  return root
}

const zip = makeZip(
  [
    { name: 'm/data.pkl', data: Buffer.alloc(200, 3) },
    { name: 'm/data/0', data: Buffer.alloc(500, 5) },
  ],
  { zip64: true },
)

function safetensors(names: readonly string[]): Buffer {
  const entries = names.map((name, index) => [
    name,
    { dtype: 'U8', shape: [4], data_offsets: [index * 4, index * 4 + 4] },
  ])
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, Buffer.alloc(names.length * 4)])
}

describe('the sample runs', () => {
  it.each([
    'asr_run',
    'nutshell',
    'full_example',
    'duckpoints',
    'frameworks/hf_trainer/run',
    'frameworks/hf_trainer_sharded/run',
  ])('%s is whole at any depth', async (name) => {
    for (const level of ['quick', 'deep'] as const) {
      for (const { health } of await grade(join(fixtures, name), level)) {
        expect(health).toEqual({ level, grade: 'whole', findings: [] })
      }
    }
  })

  it('asr_run_damaged: six are passed over, each with its cause; quick cannot see the flipped byte', async () => {
    const stamp = 'CKPT+2026-11-22+20-46-49+'
    const { newest_first: expected } = JSON.parse(readFileSync(join(fixtures, 'asr_run_damaged.json'), 'utf8')) as {
      newest_first: { name: string; damage: string | null }[]
    }
    const deep = await grade(join(fixtures, 'asr_run_damaged'), 'deep')
    expect(firstWhole(deep)).toBe(expected.find((one) => one.damage === null)?.name)
    const only = (digits: string): Finding | undefined => {
      const found = findingsOf(deep, stamp + digits)
      expect(found).toHaveLength(1)
      return found[0]
    }
    expect(only('09')).toEqual({
      grade: 'corrupt',
      file: 'model.ckpt',
      reason: 'killed while saving: 18386 of 36772 bytes (its length in the other checkpoints), no zip end record',
    })
    expect(only('08')).toEqual({
      grade: 'partial',
      file: 'optimizer.ckpt',
      reason: 'not there, and each of the 9 other checkpoints has it',
    })
    expect(only('07')).toEqual({ grade: 'corrupt', file: 'lm.ckpt', reason: '0 bytes' })
    expect(only('06')).toMatchObject({
      grade: 'corrupt',
      file: 'CKPT.yaml',
      reason: expect.stringMatching(/empty/) as string,
    })
    expect(only('05')).toMatchObject({
      grade: 'corrupt',
      file: 'CKPT.yaml',
      reason: expect.stringMatching(/line 3/) as string,
    })
    expect(only('04')).toMatchObject({
      grade: 'corrupt',
      file: 'model.ckpt',
      reason: expect.stringMatching(/CRC-32/) as string,
    })
    expect(firstWhole(await grade(join(fixtures, 'asr_run_damaged'), 'quick'))).toBe(`${stamp}04`)
  })

  it.each(['hf_trainer', 'hf_trainer_sharded'])('%s, damaged: the sound are whole, the others told', async (name) => {
    const folder = join(fixtures, 'frameworks', name)
    const expected = JSON.parse(readFileSync(join(folder, 'damaged.json'), 'utf8')) as {
      resume: string
      sound: string[]
      damages: { name: string; file: string | null }[]
    }
    const graded = await grade(join(folder, 'damaged'), 'quick')
    expect(firstWhole(graded)).toBe(expected.resume)
    const whole = graded
      .filter((checkpoint) => checkpoint.health.grade === 'whole')
      .map((checkpoint) => checkpoint.name)
    expect(whole).toEqual(expected.sound)
    for (const { name: damaged, file } of expected.damages.filter((one) => !one.name.startsWith('tmp-'))) {
      const files = findingsOf(graded, damaged).map((finding) => finding.file)
      expect(files).toContain(file ?? 'trainer_state.json')
    }
  })
})

describe('a torch zip', () => {
  it('that was cut anywhere, to the first byte, is found by quick', async () => {
    const root = makeRun({ 'model.ckpt': zip })
    for (let length = 1; length < zip.length; length += 7) {
      writeFileSync(join(root, 'CKPT+2/model.ckpt'), zip.subarray(0, length))
      const [finding] = findingsOf(await grade(root, 'quick'), 'CKPT+2')
      expect(finding, `${length} bytes`).toMatchObject({ grade: 'corrupt', file: 'model.ckpt' })
    }
  })

  it('alone in its run tells the bytes that there are', async () => {
    const root = write(makeFolder(), {
      'CKPT+1/CKPT.yaml': 'unixtime: 1.0\n',
      'CKPT+1/model.ckpt': zip.subarray(0, 400),
    })
    expect(findingsOf(await grade(root, 'quick'), 'CKPT+1')[0]?.reason).toBe(
      'killed while saving: 400 bytes, no zip end record',
    )
  })

  it('whose directory points outside is reported with both numbers', async () => {
    const lying = makeZip([{ name: 'm/data.pkl', data: Buffer.alloc(200) }], { directoryOffset: 12_345 })
    const root = makeRun({ 'model.ckpt': zip })
    writeFileSync(join(root, 'CKPT+2/model.ckpt'), lying)
    expect(findingsOf(await grade(root, 'quick'), 'CKPT+2')[0]?.reason).toMatch(/12345.*outside/)
  })

  it('with a flipped byte is found by deep alone, unless its checksums were switched off', async () => {
    const parts = [{ name: 'm/data/0', data: Buffer.alloc(500, 5) }]
    const off = parts.map((part) => ({ ...part, crc: 0 }))
    for (const [bytes, whole] of [
      [makeZip(parts), false],
      [makeZip(off), true],
    ] as const) {
      bytes[200] = (bytes[200] ?? 0) ^ 1
      const root = makeRun({ 'model.ckpt': bytes })
      expect((await grade(root, 'quick'))[0]?.health.grade).toBe('whole')
      expect((await grade(root, 'deep'))[0]?.health.grade).toBe(whole ? 'whole' : 'corrupt')
    }
  })

  it.each([
    ['FloatStorage', 'nothing', null, 'storage "0" is described, but its data is not there'],
    ['FloatStorage', 'a part', 15, 'storage "0" has 15 bytes, and 16 are expected'],
    ['FloatStorage', 'all', 16, undefined],
    ['StorageOfOurs', 'nothing', null, undefined],
  ])('that describes a %s and has %s of it is judged as torch.load does', async (cls, _, length, reason) => {
    const id = `(X\x07\0\0\0storagectorch\n${cls}\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ`
    const pickle = { name: 'm/data.pkl', data: Buffer.from(`\x80\x02${id}.`, 'latin1') }
    const data = length === null ? [] : [{ name: 'm/data/0', data: Buffer.alloc(length, 1) }]
    const root = makeRun({ 'model.ckpt': makeZip([pickle, ...data, { name: 'm/version', data: Buffer.from('3\n') }]) })
    for (const level of ['quick', 'deep'] as const) {
      const [finding] = findingsOf(await grade(root, level), 'CKPT+2')
      expect(finding?.reason.replace('torch: ', '')).toBe(reason)
    }
  })

  it('whose first bytes are lost is known by the other checkpoints', async () => {
    const root = makeRun({ 'model.ckpt': zip })
    const file = openSync(join(root, 'CKPT+2/model.ckpt'), 'r+')
    writeSync(file, Buffer.alloc(64), 0, 64, 0)
    closeSync(file)
    expect(findingsOf(await grade(root, 'quick'), 'CKPT+2')[0]?.reason).toMatch(/does not begin as a zip/)
  })
})

describe('a legacy torch stream', () => {
  it('that ends early tells how many bytes of how many there are', async () => {
    const root = makeRun({ 'model.ckpt': legacy })
    expect((await grade(root, 'deep')).map((checkpoint) => checkpoint.health.grade)).toEqual([
      'whole',
      'whole',
      'whole',
    ])
    truncateSync(join(root, 'CKPT+2/model.ckpt'), 480)
    expect(findingsOf(await grade(root, 'quick'), 'CKPT+2')).toEqual([
      { grade: 'corrupt', file: 'model.ckpt', reason: 'killed while saving: 480 of 493 bytes' },
    ])
    for (let length = 1; length < legacy.length; length += 9) {
      writeFileSync(join(root, 'CKPT+2/model.ckpt'), legacy.subarray(0, length))
      expect(findingsOf(await grade(root, 'quick'), 'CKPT+2'), `${length} bytes`).toHaveLength(1)
    }
  })
})

describe('a safetensors file', () => {
  it('shorter and longer than its header says are two different findings', async () => {
    const root = copyFixture('frameworks/hf_trainer/run')
    truncateSync(join(root, 'checkpoint-6/model.safetensors'), 20_000)
    appendFileSync(join(root, 'checkpoint-12/model.safetensors'), 'tail')
    truncateSync(join(root, 'checkpoint-18/model.safetensors'), 100)
    truncateSync(join(root, 'checkpoint-24/model.safetensors'), 5)
    const graded = await grade(root, 'quick')
    const reasons = graded.slice(0, 4).map((checkpoint) => checkpoint.health.findings[0]?.reason)
    expect(reasons[0]).toMatch(/ends early: 20000 of 25612/)
    expect(reasons[1]).toMatch(/4 bytes after the last tensor/)
    expect(reasons[2]).toMatch(/100/)
    expect(reasons[3]).toMatch(/5 bytes/)
    expect(firstWhole(graded)).toBe('checkpoint-30')
  })
})

describe('zeros that were never written', () => {
  /** Three tensors of `bytes` bytes each, filled with ones. */
  function filled(bytes: number): Buffer {
    const names = ['a', 'b', 'c']
    const entries = names.map((name, at) => [
      name,
      { dtype: 'U8', shape: [bytes], data_offsets: [at * bytes, (at + 1) * bytes] },
    ])
    const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(header.length))
    return Buffer.concat([length, header, Buffer.alloc(names.length * bytes, 1)])
  }
  const zeroFrom = (bytes: Buffer, start: number): Buffer =>
    Buffer.concat([bytes.subarray(0, start), Buffer.alloc(bytes.length - start)])

  it('are found at the end of safetensors, from the byte on, where the others end otherwise', async () => {
    const sound = filled(2_000_000)
    const root = makeRun({ 'model.ckpt': sound })
    const start = sound.length - 3_000_000
    write(root, { 'CKPT+3/model.ckpt': zeroFrom(sound, start) })
    const graded = await grade(root, 'quick')
    expect(findingsOf(graded, 'CKPT+3')[0]?.reason).toMatch(`bytes ${start} to ${sound.length}, its end, are all zero`)
    expect(firstWhole(graded)).toBe('CKPT+2')
  })

  it('are values where they begin with a tensor, within its last number, or where all end so', async () => {
    const sound = filled(1000)
    for (const start of [sound.length - 1000, sound.length - 1007]) {
      const root = makeRun({ 'model.ckpt': sound })
      write(root, { 'CKPT+3/model.ckpt': zeroFrom(sound, start) })
      expect(findingsOf(await grade(root, 'deep'), 'CKPT+3')).toEqual([])
    }
    const all = makeRun({ 'model.ckpt': zeroFrom(sound, sound.length - 700) })
    expect((await grade(all, 'deep')).map(({ health }) => health.grade)).toEqual(['whole', 'whole', 'whole'])
  })

  it('within the last tensor are found where they begin with a sector, and values elsewhere', async () => {
    const sound = filled(1500)
    const sector = 512 * Math.floor((sound.length - 700) / 512)
    for (const [start, grades] of [
      [sector, ['whole', 'whole', 'corrupt']],
      [sector - 3, ['whole', 'whole', 'corrupt']],
      [sector - 100, ['whole', 'whole', 'whole']],
    ] as const) {
      const root = makeRun({ 'model.ckpt': sound })
      write(root, { 'CKPT+3/model.ckpt': zeroFrom(sound, start) })
      expect((await grade(root, 'quick')).map(({ health }) => health.grade)).toEqual(grades)
    }
  })

  it('in the place of a zip end record are told from a cut', async () => {
    const large = makeZip([{ name: 'm/data/0', data: Buffer.alloc(5000, 5) }], { zip64: true })
    const root = makeRun({ 'model.ckpt': large })
    write(root, { 'CKPT+3/model.ckpt': zeroFrom(large, 4096) })
    expect(findingsOf(await grade(root, 'quick'), 'CKPT+3')[0]?.reason).toBe(
      `bytes 4096 to ${large.length}, its end, are all zero and were never written, no zip end record`,
    )
  })

  it('are found where nothing else is, in what cannot be that or is text elsewhere', async () => {
    const root = makeRun({ 'counter.ckpt': '12' })
    write(root, { 'CKPT+3/counter.ckpt': Buffer.alloc(2), 'CKPT+2/model.ckpt': Buffer.alloc(3_000_000) })
    // No parameter file, and of a kind that nobody knows.
    write(root, { 'CKPT+1/cache.bin': Buffer.alloc(5000) })
    const graded = await grade(root, 'quick')
    expect(findingsOf(graded, 'CKPT+1')).toEqual([])
    expect(findingsOf(graded, 'CKPT+3')).toEqual([
      { grade: 'corrupt', file: 'counter.ckpt', reason: 'all its 2 bytes are zero: they were never written' },
    ])
    expect(findingsOf(graded, 'CKPT+2')[0]?.reason).toMatch('all its 3000000 bytes are zero')
  })
})

describe('what stands in the place of a file', () => {
  it('is reported as what it is, once', async () => {
    const root = makeRun({ 'model.ckpt': zip })
    for (const name of ['CKPT+4', 'CKPT+5', 'CKPT+6']) write(root, { [`${name}/CKPT.yaml`]: 'unixtime: 1.0\n' })
    execFileSync('mkfifo', [join(root, 'CKPT+4/model.ckpt')])
    symlinkSync('/dev/zero', join(root, 'CKPT+5/model.ckpt'))
    write(root, { 'CKPT+6/model.ckpt/x': 'x' })
    const noFile = { grade: 'corrupt', file: 'model.ckpt', reason: 'not a file, but a pipe, a socket or a device' }
    const folder = {
      grade: 'corrupt',
      file: 'model.ckpt',
      reason: 'not a file, but a folder, and a file in the other checkpoints',
    }
    const { checkpoints } = await loadRun(storage, root)
    const looked = checkStructure(await measure(storage, checkpoints))
    for (const graded of [looked, await grade(root, 'quick'), await grade(root, 'deep')]) {
      expect(findingsOf(graded, 'CKPT+4')).toEqual([noFile])
      expect(findingsOf(graded, 'CKPT+5')).toEqual([noFile])
    }
    expect(findingsOf(await grade(root, 'quick'), 'CKPT+6')).toEqual([folder])
  })

  it('may be a folder, where it is one everywhere', async () => {
    const root = makeRun({ 'tokenizer.ckpt/vocab': 'x' })
    expect((await grade(root, 'deep')).map(({ health }) => health.grade)).toEqual(['whole', 'whole', 'whole'])
  })

  it('is not text, where all others are', async () => {
    const root = makeRun({ 'brain.ckpt': 'step: 1\n' })
    write(root, { 'CKPT+3/brain.ckpt': Buffer.from('fffe7300', 'hex') })
    expect(findingsOf(await grade(root, 'quick'), 'CKPT+3')[0]?.reason).toMatch('does not begin as text')
  })

  it('is text in any encoding where it is not a parameter file, and with colours in one', async () => {
    const root = makeRun({ 'note.txt': 'cafe\n', 'brain.ckpt': 'step: 1\n' })
    write(root, { 'CKPT+3/note.txt': Buffer.from('café\n', 'latin1'), 'CKPT+3/brain.ckpt': '\x1b[1mstep\x1b[0m: 2\n' })
    expect(findingsOf(await grade(root, 'quick'), 'CKPT+3')).toEqual([])
  })
})

it('bytes that were appended to a zip are reported as such, not as a cut', async () => {
  const root = makeRun({ 'model.ckpt': zip })
  appendFileSync(join(root, 'CKPT+3/model.ckpt'), Buffer.alloc(70_000, 1))
  expect(findingsOf(await grade(root, 'quick'), 'CKPT+3')[0]?.reason).toMatch(
    `70000 bytes were appended to its ${zip.length}`,
  )
})

describe('an index', () => {
  const state = '{"global_step": 1, "epoch": 1.0, "log_history": []}'
  const index = (map: Record<string, unknown>): string => JSON.stringify({ metadata: {}, weight_map: map })

  async function findings(files: Record<string, string | Uint8Array>): Promise<readonly Finding[]> {
    const root = makeFolder()
    for (const [name, content] of Object.entries(files)) write(root, { [`checkpoint-1/${name}`]: content })
    write(root, { 'checkpoint-1/trainer_state.json': state })
    return (await grade(root, 'quick'))[0]?.health.findings ?? []
  }

  const one = 'model-00001-of-00002.safetensors'
  const two = 'model-00002-of-00002.safetensors'

  it('is whole when every shard and tensor that it names is there', async () => {
    const files = {
      [one]: safetensors(['a']),
      [two]: safetensors(['b']),
      'model.safetensors.index.json': index({ a: one, b: two }),
    }
    expect(await findings(files)).toEqual([])
  })

  it('that names no tensor is broken', async () => {
    const files = { [one]: safetensors(['a']), [two]: safetensors(['b']), 'model.safetensors.index.json': index({}) }
    expect(await findings(files)).toMatchObject([{ grade: 'corrupt', reason: 'names no tensor' }])
  })

  it('names a tensor that a shard of torch does not have', async () => {
    const shard = readFileSync(join(fixtures, '../torch/torch1/bare_tensor.pt'))
    const files = {
      'pytorch_model-00001-of-00001.bin': shard,
      'pytorch_model.bin.index.json': index({ nothing: 'pytorch_model-00001-of-00001.bin' }),
    }
    expect(await findings(files)).toMatchObject([
      { grade: 'partial', file: 'pytorch_model.bin.index.json', reason: expect.stringMatching('"nothing"') as string },
    ])
  })

  it('says which counts of two tensors of one name', async () => {
    const files = { [one]: safetensors(['a', 'b']), [two]: safetensors(['b']) }
    expect(await findings({ ...files, 'model.safetensors.index.json': index({ a: one, b: two }) })).toEqual([])
  })

  it('names what is not a tensor in a shard of torch, as loaders do', async () => {
    const files = {
      'pytorch_model-00001-of-00001.bin': readFileSync(join(fixtures, '../torch/torch1/lightning_like.ckpt')),
      'pytorch_model.bin.index.json': index({ epoch: 'pytorch_model-00001-of-00001.bin' }),
    }
    expect(await findings(files)).toEqual([])
  })

  it('names a shard that is not there', async () => {
    const files = { [one]: safetensors(['a']), 'model.safetensors.index.json': index({ a: one, b: two }) }
    expect(await findings(files)).toMatchObject([{ grade: 'partial', file: two }])
  })

  it('is the cause told of a shard that is not there, and not only that the others have it', async () => {
    const root = makeFolder()
    for (const number of [1, 2, 3]) {
      write(root, {
        [`checkpoint-${number}/${one}`]: safetensors(['a']),
        ...(number === 2 ? {} : { [`checkpoint-${number}/${two}`]: safetensors(['b']) }),
        [`checkpoint-${number}/model.safetensors.index.json`]: index({ a: one, b: two }),
        [`checkpoint-${number}/trainer_state.json`]: state,
      })
    }
    const reason = 'not there, though model.safetensors.index.json names it for 1 tensor'
    expect(findingsOf(await grade(root, 'quick'), 'checkpoint-2')).toEqual([{ grade: 'partial', file: two, reason }])
  })

  it('names a tensor that its shard does not have', async () => {
    const files = {
      [one]: safetensors(['a']),
      [two]: safetensors(['c']),
      'model.safetensors.index.json': index({ a: one, b: two }),
    }
    const found = await findings(files)
    expect(found).toMatchObject([{ grade: 'partial', file: 'model.safetensors.index.json' }])
    expect(found[0]?.reason).toBe(`names "b" in ${two}, which does not have it`)
  })

  it('of torch shards is held against the files, and a cut shard is told', async () => {
    const [a, b] = ['pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin']
    const map = index({ a, b })
    expect(await findings({ [a]: zip, [b]: zip, 'pytorch_model.bin.index.json': map })).toEqual([])
    expect(await findings({ [a]: zip, 'pytorch_model.bin.index.json': map })).toMatchObject([
      { grade: 'partial', file: b },
    ])
    expect(await findings({ [a]: zip, [b]: zip.subarray(0, 300), 'pytorch_model.bin.index.json': map })).toMatchObject([
      { grade: 'corrupt', file: b },
    ])
  })

  it('that is broken, or leads out of its folder, is corrupt', async () => {
    const shard = { [one]: safetensors(['a']) }
    expect(await findings({ ...shard, 'model.safetensors.index.json': '{"weight_map": {' })).toMatchObject([
      { grade: 'corrupt' },
    ])
    expect(await findings({ ...shard, 'model.safetensors.index.json': '{}' })).toMatchObject([{ grade: 'corrupt' }])
    expect(await findings({ ...shard, 'model.safetensors.index.json': index({ a: '../x' }) })).toMatchObject([
      { grade: 'corrupt' },
    ])
  })

  it('that is not there beside its shards is reported, as are the shards that are not there', async () => {
    const files = (await findings({ [one]: safetensors(['a']) })).map((finding) => finding.file)
    expect(files).toEqual([two, 'model.safetensors.index.json'])
  })
})

describe('a file that is not there', () => {
  it('is missed when every other checkpoint has it, at least two, and it is not optional', async () => {
    const root = makeRun({ 'model.ckpt': zip, 'dataloader-TRAIN.ckpt': '1', 'scaler.ckpt': zip })
    for (const file of ['model', 'dataloader-TRAIN', 'scaler']) rmSync(join(root, `CKPT+2/${file}.ckpt`))
    const { checkpoints } = await loadRun(storage, root)
    const found = checkStructure(checkpoints)
    expect(found.map((checkpoint) => checkpoint.health.findings.map((finding) => finding.file))).toEqual([
      [],
      ['model.ckpt'],
      [],
    ])
    rmSync(join(root, 'CKPT+3'), { recursive: true })
    const two = (await loadRun(storage, root)).checkpoints
    expect(checkStructure(two).every((checkpoint) => checkpoint.health.grade === 'unchecked')).toBe(true)
  })

  it('is not missed where two lack it', async () => {
    const root = makeRun({ 'model.ckpt': zip, 'lm.ckpt': zip })
    for (const name of ['CKPT+1', 'CKPT+2']) rmSync(join(root, `${name}/lm.ckpt`))
    const { checkpoints } = await loadRun(storage, root)
    expect(checkStructure(checkpoints).map((checkpoint) => checkpoint.health.grade)).toEqual([
      'unchecked',
      'unchecked',
      'unchecked',
    ])
  })

  it('is not looked for in one that is still being written', async () => {
    const root = copyFixture('frameworks/hf_trainer/run')
    rmSync(join(root, 'checkpoint-30/optimizer.pt'))
    rmSync(join(root, 'checkpoint-30/trainer_state.json'))
    rmSync(join(root, 'checkpoint-24/optimizer.pt'))
    const graded = await grade(root, 'quick')
    expect(graded.map((checkpoint) => checkpoint.health.grade)).toEqual([
      'whole',
      'whole',
      'whole',
      'partial',
      'unfinished',
    ])
  })
})

describe('a file of 0 bytes', () => {
  it('is damage unless it is empty everywhere, and always where its format has no empty form', async () => {
    const root = makeRun({ 'model.ckpt': zip, 'flag.ckpt': '', 'notes.txt': '' })
    const graded = await grade(root, 'quick')
    expect(graded.every((checkpoint) => checkpoint.health.grade === 'whole')).toBe(true)
    writeFileSync(join(root, 'CKPT+1/flag.ckpt'), '1')
    writeFileSync(join(root, 'CKPT+2/model.ckpt'), '')
    const { checkpoints } = await loadRun(storage, root)
    const empty = (found: readonly Checkpoint[]): (string | undefined)[][] =>
      found.map((checkpoint) => checkpoint.health.findings.map((finding) => finding.file))
    const expected = [[], ['flag.ckpt', 'model.ckpt'], ['flag.ckpt']]
    expect(empty(await checkHealth(storage, checkpoints, checkpoints, 'quick'))).toEqual(expected)
    expect(empty(checkStructure(await measure(storage, checkpoints)))).toEqual(expected)
    expect(empty(checkStructure(checkpoints))).toEqual([[], [], []])
  })

  it.each(['model.ckpt', 'asr_model.ckpt', 'optimizer.ckpt', 'scaler.ckpt'])(
    'is damage in %s, though a full disk emptied it in all checkpoints',
    async (name) => {
      const graded = await grade(makeRun({ [name]: '', 'counter.ckpt': '1' }), 'quick')
      expect(graded.map((checkpoint) => checkpoint.health.grade)).toEqual(['corrupt', 'corrupt', 'corrupt'])
    },
  )
})

describe('other files', () => {
  it('are opaque: text, pickles and unknown bytes are not damaged', async () => {
    const root = makeRun({
      'counter.ckpt': '3',
      'kmeans.ckpt': Buffer.from('80049500000000000000', 'hex'),
      'noise.ckpt': Buffer.from([1, 2, 3, 0, 255]),
      'log.json': '{"a": 1}\n{"a": 2}\n',
    })
    for (const { health } of await grade(root, 'deep')) expect(health.grade).toBe('whole')
  })

  it('of JSON that end early are found', async () => {
    const root = copyFixture('frameworks/hf_trainer/run')
    truncateSync(join(root, 'checkpoint-6/config.json'), 300)
    expect(findingsOf(await grade(root, 'quick'), 'checkpoint-6')).toMatchObject([
      { grade: 'corrupt', file: 'config.json' },
    ])
  })

  it('in the folders of a parallel strategy are looked into, and DCP without its .metadata is unfinished', async () => {
    const root = copyFixture('frameworks/hf_trainer/run')
    write(root, {
      'checkpoint-30/global_step30/mp_rank_00_model_states.pt': zip.subarray(0, 200),
      'checkpoint-24/pytorch_model_fsdp_0/__0_0.distcp': Buffer.concat([zip, zip]),
      'checkpoint-18/pytorch_model_fsdp_0/__0_0.distcp': zip,
      'checkpoint-18/pytorch_model_fsdp_0/.metadata': Buffer.from('80047d2e', 'hex'),
    })
    const graded = await grade(root, 'deep')
    expect(graded.map((checkpoint) => checkpoint.health.grade)).toEqual([
      'whole',
      'whole',
      'whole',
      'unfinished',
      'corrupt',
    ])
    expect(findingsOf(graded, 'checkpoint-30')[0]?.file).toBe('global_step30/mp_rank_00_model_states.pt')
  })

  it('that are links are followed; one that leads nowhere is partial', async () => {
    const root = makeRun({ 'model.ckpt': zip })
    rmSync(join(root, 'CKPT+2/model.ckpt'))
    symlinkSync('gone', join(root, 'CKPT+2/model.ckpt'))
    rmSync(join(root, 'CKPT+3/model.ckpt'))
    symlinkSync('../CKPT+1/model.ckpt', join(root, 'CKPT+3/model.ckpt'))
    mkdirSync(join(root, 'CKPT+1/folder'))
    const graded = await grade(root, 'deep')
    expect(graded.map((checkpoint) => checkpoint.health.grade)).toEqual(['whole', 'partial', 'whole'])
  })
})

describe('checkHealth', () => {
  it('grades a checkpoint that vanished meanwhile as partial', async () => {
    const root = makeRun({ 'model.ckpt': zip })
    const { checkpoints } = await loadRun(storage, root)
    rmSync(join(root, 'CKPT+2'), { recursive: true })
    const graded = await checkHealth(storage, checkpoints, checkpoints, 'quick')
    expect(graded.map((checkpoint) => checkpoint.health.grade)).toEqual(['whole', 'partial', 'whole'])
  })

  it('makes a few small reads a file when quick, and reads all of them when deep, telling how far it is', async () => {
    const large = makeZip([{ name: 'm/data/0', data: Buffer.alloc(12 << 20, 1) }])
    const files = { 'model.ckpt': large, 'lm.ckpt': legacy, 'lm.safetensors': safetensors(['a']), 'notes.bin': large }
    const root = makeRun(files)
    const { checkpoints } = await loadRun(storage, root)
    const reads: { path: string; bytes: number }[] = []
    const counted = {
      ...storage,
      open: async (path: string) => {
        const handle = await storage.open(path)
        const counting = async (into: Uint8Array, position: number): Promise<number> => {
          const count = await handle.read(into, position)
          reads.push({ path, bytes: count })
          return count
        }
        return {
          path: handle.path,
          size: handle.size,
          read: counting,
          stat: () => handle.stat(),
          close: () => handle.close(),
        }
      },
    }
    await checkHealth(counted, checkpoints, checkpoints, 'quick')
    for (const file of Object.keys(files)) {
      const own = reads.filter(({ path }) => path.endsWith(`/${file}`))
      expect(own.length, file).toBeLessThanOrEqual(3 * 8)
      expect(
        own.reduce((sum, { bytes }) => sum + bytes, 0),
        file,
      ).toBeLessThan(3 * 4096)
    }
    const progress: [number, number][] = []
    const onProgress = (done: number, total: number): void => void progress.push([done, total])
    await checkHealth(storage, checkpoints, checkpoints, 'deep', { onProgress })
    const bytes = 3 * (2 * large.length + legacy.length + safetensors(['a']).length + 'unixtime: 1.0\n'.length)
    expect(progress.at(-1)).toEqual([bytes, bytes])
    expect(progress.every(([done, total], index) => done <= total && done >= (progress[index - 1]?.[0] ?? 0))).toBe(
      true,
    )
  })

  it('stops when asked', async () => {
    const { checkpoints } = await loadRun(storage, join(fixtures, 'asr_run'))
    const stopped = checkHealth(storage, checkpoints, checkpoints, 'deep', { signal: AbortSignal.abort() })
    await expect(stopped).rejects.toMatchObject({ code: 'interrupted' })
  })

  it('tells file names relative to the checkpoint', async () => {
    const graded = await grade(join(fixtures, 'asr_run_damaged'), 'quick')
    for (const { files, health } of graded) {
      for (const { file } of health.findings)
        expect([...files.map((one) => basename(one.path)), 'CKPT.yaml', 'optimizer.ckpt']).toContain(file)
    }
  })
})
