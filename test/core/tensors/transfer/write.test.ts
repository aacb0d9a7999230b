import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Storage } from '../../../../src/core/storage/storage.js'
import { openTensors } from '../../../../src/core/tensors/read/open.js'
import { matchTensors, type MatchOptions } from '../../../../src/core/tensors/transfer/match.js'
import { transferInPlace } from '../../../../src/core/tensors/transfer/in-place.js'
import { transfer, type TransferOptions } from '../../../../src/core/tensors/transfer/write.js'
import { faultyStorage, Stopped } from '../../../faulty-storage.js'
import { floats, floatsIn, readTensors, writeTensors } from './files.js'

const storage = localStorage()
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-transfer-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)

function writeBoth(): void {
  writeTensors(at('source'), [floats('a', [2], [1, 2]), floats('b', [1], [3]), floats('extra', [1], [9])], {
    from: 'source',
  })
  writeTensors(
    at('target'),
    [floats('head', [1], [-1]), floats('b', [1], [-2]), floats('a', [2], [-3, -4]), floats('tail', [1], [-5])],
    {
      format: 'pt',
      note: 'é',
    },
  )
}

async function run(output: string, options: TransferOptions & MatchOptions & { through?: Storage } = {}) {
  const source = await openTensors(storage, at('source'))
  const target = await openTensors(storage, at('target'))
  try {
    return await transfer(options.through ?? storage, matchTensors(source, target, options), at(output), options)
  } finally {
    await source.close()
    await target.close()
  }
}

const names = () => fs.readdirSync(folder).sort()

describe('the output', () => {
  it("has the source's values where names match, and else the target's, with the target's header to the byte", async () => {
    writeBoth()
    const { bytes } = await run('out')
    const out = readTensors(at('out'))
    expect(out.metadata).toEqual({ format: 'pt', note: 'é' })
    expect([...out.tensors.keys()]).toEqual(['head', 'b', 'a', 'tail'])
    expect(['head', 'b', 'a', 'tail'].map((name) => floatsIn(out, name))).toEqual([[-1], [3], [1, 2], [-5]])
    expect(bytes).toBe(fs.statSync(at('out')).size)
    expect(bytes).toBe(fs.statSync(at('target')).size)
    expect(names()).toEqual(['out', 'source', 'target'])
  })

  it("keeps the target's values where shapes differ, when told to", async () => {
    writeTensors(at('source'), [floats('a', [2], [1, 2]), floats('b', [2], [3, 4])])
    writeTensors(at('target'), [floats('a', [1], [-1]), floats('b', [2], [-2, -3])])
    await run('out', { skipMismatched: true })
    expect(floatsIn(readTensors(at('out')), 'a')).toEqual([-1])
    expect(floatsIn(readTensors(at('out')), 'b')).toEqual([3, 4])
  })

  it('takes the first element of a vector for a scalar, cast or not', async () => {
    writeTensors(at('source'), [
      floats('a', [3], [7, 8, 9]),
      { name: 'b', dtype: 'I64', shape: [2], data: new Uint8Array(BigInt64Array.from([5n, 6n]).buffer) },
    ])
    writeTensors(at('target'), [floats('a', [], [0]), floats('b', [], [0])])
    await run('out')
    expect([floatsIn(readTensors(at('out')), 'a'), floatsIn(readTensors(at('out')), 'b')]).toEqual([[7], [5]])
  })

  it('casts tensors that are longer than one chunk', async () => {
    const values = Array.from({ length: 300_000 }, (_, i) => i / 7)
    const data = new Uint8Array(Float64Array.from(values).buffer)
    writeTensors(at('source'), [{ name: 'w', dtype: 'F64', shape: [300_000], data }])
    writeTensors(at('target'), [floats('w', [300_000], values.fill(0))])
    await run('out')
    const expected = Float32Array.from({ length: 300_000 }, (_, i) => i / 7)
    expect(Float32Array.from(floatsIn(readTensors(at('out')), 'w'))).toEqual(expected)
  })

  it('copies NaNs, whose payload a cast would lose, bit for bit where no cast is needed', async () => {
    const data = new Uint8Array(Uint32Array.from([0x7f800001, 0xffc12345]).buffer)
    writeTensors(at('source'), [{ name: 'w', dtype: 'F32', shape: [2], data }])
    writeTensors(at('target'), [floats('w', [2], [0, 0])])
    await run('out')
    expect(readTensors(at('out')).tensors.get('w')?.data).toEqual(Buffer.from(data))
  })

  it('keeps a header that is odd, yet valid, as it is', async () => {
    const header =
      ' {"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"note":1},"e":{"dtype":"U8","shape":[18446744073709551615,0],"data_offsets":[4,4]}}\n'
    const prefix = Buffer.alloc(8)
    prefix.writeBigUInt64LE(BigInt(header.length))
    fs.writeFileSync(at('target'), Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(4)]))
    writeTensors(at('source'), [floats('w', [1], [1])])
    await run('out')
    expect(fs.readFileSync(at('out')).toString('latin1', 8, 8 + header.length)).toBe(header)
    expect(fs.readFileSync(at('out')).readFloatLE(8 + header.length)).toBe(1)
  })
})

describe('a file that exists', () => {
  it('is never overwritten', async () => {
    writeBoth()
    fs.writeFileSync(at('out'), 'mine')
    await expect(run('out')).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('exists already') as string,
    })
    expect(fs.readFileSync(at('out'), 'utf8')).toBe('mine')
    expect(names()).toEqual(['out', 'source', 'target'])
  })

  it('is not even when it came to be there meanwhile', async () => {
    writeBoth()
    const onProgress = (done: number) => {
      if (done > 0) fs.writeFileSync(at('out'), 'mine')
    }
    await expect(run('out', { onProgress })).rejects.toMatchObject({ code: 'refused' })
    expect(fs.readFileSync(at('out'), 'utf8')).toBe('mine')
    expect(names()).toEqual(['out', 'source', 'target'])
  })

  it.each(['EPERM', 'EOPNOTSUPP'])('is not where the file system has no hard links (%s)', async (errno) => {
    writeBoth()
    const through = {
      ...storage,
      hardLink: async (from: string) => faultyStorage(storage, { failAt: 1, errno }).storage.hardLink(from, from),
    }
    await run('out', { through })
    expect(floatsIn(readTensors(at('out')), 'a')).toEqual([1, 2])
    expect(names()).toEqual(['out', 'source', 'target'])
    fs.unlinkSync(at('out'))
    const onProgress = (done: number) => {
      if (done > 0) fs.writeFileSync(at('out'), 'mine')
    }
    await expect(run('out', { through, onProgress })).rejects.toMatchObject({ code: 'refused' })
    expect(fs.readFileSync(at('out'), 'utf8')).toBe('mine')
    expect(names()).toEqual(['out', 'source', 'target'])
  })

  it('is replaced with force', async () => {
    writeBoth()
    fs.writeFileSync(at('out'), 'mine')
    await run('out', { force: true })
    expect(floatsIn(readTensors(at('out')), 'a')).toEqual([1, 2])
  })

  it.each(['source', 'target'])('may be the %s itself, with force', async (name) => {
    writeBoth()
    await run('expected')
    await expect(run(name)).rejects.toMatchObject({ code: 'refused' })
    await run(name, { force: true })
    expect(fs.readFileSync(at(name))).toEqual(fs.readFileSync(at('expected')))
  })

  it('keeps its bytes when it is another name of the target, replaced with force', async () => {
    writeBoth()
    fs.linkSync(at('target'), at('hard'))
    fs.symlinkSync('target', at('soft'))
    const before = fs.readFileSync(at('target'))
    await run('hard', { force: true })
    await run('soft', { force: true })
    expect(fs.readFileSync(at('target'))).toEqual(before)
    expect(floatsIn(readTensors(at('soft')), 'a')).toEqual([1, 2])
  })

  it('is never a folder nor a device', async () => {
    writeBoth()
    fs.mkdirSync(at('folder'))
    fs.symlinkSync('/dev/null', at('null'))
    for (const force of [true, false]) {
      const message = `${at('folder')}: is not a regular file, and is never replaced`
      await expect(run('folder', { force })).rejects.toMatchObject({ code: 'refused', message })
    }
    await expect(run('null', { force: true })).rejects.toMatchObject({ code: 'refused' })
    expect(fs.readlinkSync(at('null'))).toBe('/dev/null')
  })

  it('is not made where its folder is not, or is a file', async () => {
    writeBoth()
    await expect(run('none/out')).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('there is no folder') as string,
    })
    await expect(run('target/out')).rejects.toMatchObject({
      code: 'refused',
      message: `${at('target/out')}: ${at('target')} is not a folder`,
    })
  })
})

describe('a refused plan', () => {
  it('writes nothing, not even for a moment', async () => {
    writeTensors(at('source'), [floats('a', [1], [1])])
    writeTensors(at('target'), [floats('a', [2], [1, 2])])
    const { storage: through, calls } = faultyStorage(storage)
    await expect(run('out', { through })).rejects.toMatchObject({ code: 'refused' })
    expect(calls).toEqual([])
  })
})

describe('a failure at any call', () => {
  async function callsOf(force: boolean): Promise<readonly string[]> {
    const { storage: through, calls } = faultyStorage(storage)
    await run('out', { through, force })
    return calls
  }

  it.each([false, true])('syncs the bytes before the name, and the name after (force: %s)', async (force) => {
    writeBoth()
    const calls = (await callsOf(force)).map((call) => call.split(' ')[0])
    const named = calls.findIndex((call) => call === 'hardLink' || call === 'rename')
    expect(calls.lastIndexOf('sync')).toBeLessThan(named)
    expect(calls.lastIndexOf('copyFrom')).toBeLessThan(calls.lastIndexOf('sync'))
    expect(calls.at(-1)).toBe('syncDirectory')
  })

  it.each([
    [false, 'ENOSPC'],
    [true, 'ENOSPC'],
    [false, 'EIO'],
    [true, 'EACCES'],
  ])('leaves the output whole or as it was, and nothing else (force: %s, %s)', async (force, errno) => {
    writeBoth()
    const count = (await callsOf(false)).length
    const whole = fs.readFileSync(at('out'))
    for (let failAt = 1; failAt <= count; failAt += 1) {
      if (force) fs.writeFileSync(at('out'), 'mine')
      else fs.rmSync(at('out'), { force: true })
      const { storage: through, calls } = faultyStorage(storage, { failAt, errno })
      await run('out', { through, force }).catch((error: unknown) => expect(error).toMatchObject({ code: 'system' }))
      expect(calls.length).toBeGreaterThan(0)
      const left = names().filter((name) => name !== 'source' && name !== 'target')
      expect(['', 'out']).toContain(left.join())
      if (left.length > 0)
        expect([whole.toString('hex'), Buffer.from('mine').toString('hex')]).toContain(
          fs.readFileSync(at('out')).toString('hex'),
        )
    }
  })

  it.each([false, true])(
    'leaves the same when the process is killed there, but for a hidden file (force: %s)',
    async (force) => {
      writeBoth()
      const count = (await callsOf(false)).length
      const whole = fs.readFileSync(at('out')).toString('hex')
      for (let failAt = 1; failAt <= count; failAt += 1) {
        if (force) fs.writeFileSync(at('out'), 'mine')
        else fs.rmSync(at('out'), { force: true })
        const { storage: through } = faultyStorage(storage, { failAt, then: 'stops' })
        const error: unknown = await run('out', { through, force }).catch((error: unknown) => error)
        if (failAt < count) expect(error).toBeInstanceOf(Stopped)
        const visible = names().filter((name) => !name.startsWith('.ckpt-'))
        if (visible.includes('out'))
          expect([whole, Buffer.from('mine').toString('hex')]).toContain(fs.readFileSync(at('out')).toString('hex'))
        expect(visible.filter((name) => name !== 'out')).toEqual(['source', 'target'])
      }
    },
  )

  it('says so when the output is whole and only its temporary name could not be removed', async () => {
    writeBoth()
    const { storage: through } = faultyStorage(storage, {
      failAt: (await callsOf(false)).findIndex((call) => call.startsWith('unlink')) + 1,
    })
    fs.unlinkSync(at('out'))
    await expect(run('out', { through })).rejects.toThrow(/out: is written, but/)
    expect(floatsIn(readTensors(at('out')), 'a')).toEqual([1, 2])
  })

  it("is reported with the output's name, not the temporary one", async () => {
    writeBoth()
    const { storage: through } = faultyStorage(storage, { failAt: 2, errno: 'ENOSPC' })
    const error = (await run('out', { through }).catch((error: unknown) => error)) as Error
    expect(error.message).toContain(at('out'))
    expect(error.message).not.toContain('.ckpt-')
  })
})

describe('a file that changes while it is read', () => {
  it.each(['source', 'target'])('is an error for the %s, and nothing is written', async (name) => {
    writeBoth()
    let changed = false
    const onProgress = (done: number) => {
      if (done === 0 || changed) return
      changed = true
      fs.appendFileSync(at(name), 'x')
    }
    await expect(run('out', { onProgress })).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('changed while it was read') as string,
    })
    expect(names()).toEqual(['source', 'target'])
  })

  it('is an error when it is cut off', async () => {
    writeBoth()
    const onProgress = () => fs.truncateSync(at('source'), 100)
    await expect(run('out', { onProgress })).rejects.toThrow(/source: changed while it was read .*, 100 after/)
    expect(names()).toEqual(['source', 'target'])
  })
})

describe('while it runs', () => {
  it("progress grows to the output's size", async () => {
    writeBoth()
    const seen: [number, number][] = []
    const { bytes } = await run('out', { onProgress: (done, total) => seen.push([done, total]) })
    expect(seen[0]).toEqual([0, bytes])
    expect(seen.at(-1)).toEqual([bytes, bytes])
    expect(seen.map(([done]) => done)).toEqual(seen.map(([done]) => done).sort((a, b) => a - b))
  })

  it('an abort stops it and leaves nothing', async () => {
    writeBoth()
    const controller = new AbortController()
    const onProgress = (done: number) => done > 0 && controller.abort()
    await expect(run('out', { onProgress, signal: controller.signal })).rejects.toMatchObject({
      code: 'interrupted',
      exitStatus: 130,
    })
    expect(names()).toEqual(['source', 'target'])
  })

  it('lets a signal through in the middle of a long copy', async () => {
    const large = new Uint8Array(96 << 20)
    const content = { name: 'w', dtype: 'U8', shape: [large.length], data: large } as const
    writeTensors(at('source'), [content])
    writeTensors(at('target'), [content])
    const controller = new AbortController()
    setImmediate(() => controller.abort())
    await expect(run('out', { signal: controller.signal })).rejects.toMatchObject({ code: 'interrupted' })
    expect(names()).toEqual(['source', 'target'])
  })
})

describe('ranges that lie together', () => {
  it('are copied as one', async () => {
    const many = (sign: number) => Array.from({ length: 50 }, (_, i) => floats(`t${i}`, [1], [sign * i]))
    writeTensors(at('source'), many(1).slice(0, 25))
    writeTensors(at('target'), many(-1))
    const { storage: through, calls } = faultyStorage(storage)
    await run('out', { through })
    expect(calls.filter((call) => call.startsWith('copyFrom'))).toHaveLength(3)
    expect(floatsIn(readTensors(at('out')), 't24').concat(floatsIn(readTensors(at('out')), 't25'))).toEqual([24, -25])
  })
})

describe('tensors of another length in one axis', () => {
  const rows = (count: number, columns: number, from: number) =>
    Array.from({ length: count * columns }, (_, i) => from + i)

  it('get the first rows of a longer source', async () => {
    writeTensors(at('source'), [floats('e', [4, 2], rows(4, 2, 0))])
    writeTensors(at('target'), [floats('e', [2, 2], rows(2, 2, 100))])
    await run('out', { resize: ['slice'] })
    expect(floatsIn(readTensors(at('out')), 'e')).toEqual([0, 1, 2, 3])
  })

  it('keep their own last rows behind those of a shorter source', async () => {
    writeTensors(at('source'), [floats('e', [2, 2], rows(2, 2, 0))])
    writeTensors(at('target'), [floats('e', [3, 2], rows(3, 2, 100))])
    await run('out', { resize: ['pad'] })
    expect(floatsIn(readTensors(at('out')), 'e')).toEqual([0, 1, 2, 3, 104, 105])
  })

  it('are put together along any axis, cast on the way', async () => {
    const doubles = new Uint8Array(Float64Array.from(rows(2, 3, 0)).buffer)
    writeTensors(at('source'), [
      { name: 'e', dtype: 'F64', shape: [2, 3], data: doubles },
      floats('s', [2, 3], rows(2, 3, 0)),
    ])
    writeTensors(at('target'), [floats('e', [2, 4], rows(2, 4, 100)), floats('s', [2, 2], rows(2, 2, 100))])
    await run('out', { resize: ['pad', 'slice'] })
    const out = readTensors(at('out'))
    expect(floatsIn(out, 'e')).toEqual([0, 1, 2, 103, 3, 4, 5, 107])
    expect(floatsIn(out, 's')).toEqual([0, 1, 3, 4])
  })

  it('may be longer than what is read at once', async () => {
    const long = (count: number, from: number) => floats('e', [count, 3], rows(count, 3, from))
    writeTensors(at('source'), [long(200_000, 0)])
    writeTensors(at('target'), [long(300_000, -1e6)])
    await run('out', { resize: ['pad'] })
    const values = Float32Array.from(floatsIn(readTensors(at('out')), 'e'))
    expect(values).toEqual(Float32Array.from([...rows(200_000, 3, 0), ...rows(100_000, 3, -1e6 + 600_000)]))
  })
})

describe('the form of the output', () => {
  it('has all floating-point tensors in the dtype asked for, and integers as they were', async () => {
    const whole = {
      name: 'n',
      dtype: 'I64',
      shape: [1],
      data: new Uint8Array(BigInt64Array.from([5n]).buffer),
    } as const
    writeTensors(at('source'), [floats('a', [2], [1, 2]), whole])
    writeTensors(at('target'), [floats('a', [2], [0, 0]), whole, floats('b', [1], [3])], { format: 'pt' })
    await run('out', { dtype: 'F64' })
    const { tensors, metadata } = readTensors(at('out'))
    expect([...tensors].map(([name, { dtype }]) => [name, dtype])).toEqual([['a', 'F64'], ['n', 'I64'], ['b', 'F64']]) // prettier-ignore
    expect(new Float64Array(Uint8Array.from(tensors.get('a')?.data ?? []).buffer)).toEqual(Float64Array.of(1, 2))
    expect(metadata).toEqual({ format: 'pt' })
  })

  it('says where the values came from when asked', async () => {
    writeBoth()
    await run('out', { origin: new Map([['ckpt.source', '/x']]) })
    expect(readTensors(at('out')).metadata).toEqual({ format: 'pt', note: 'é', 'ckpt.source': '/x' })
    expect([...readTensors(at('out')).tensors.keys()]).toEqual(['head', 'b', 'a', 'tail'])
  })

  it('is what the name of the output says, or what was asked', async () => {
    writeBoth()
    await run('out.pth')
    await run('out.safetensors')
    await run('plain')
    await run('asked.safetensors', { format: 'torch' })
    const formats = []
    for (const name of ['out.pth', 'out.safetensors', 'plain', 'asked.safetensors']) {
      const file = await openTensors(storage, at(name))
      formats.push([file.format, file.tensors.length])
      await file.close()
    }
    expect(formats).toEqual([['torch', 4], ['safetensors', 4], ['safetensors', 4], ['torch', 4]]) // prettier-ignore
  })
})

describe('in a clone of the target', () => {
  /** As on a file system that shares blocks, whatever this one does. */
  const sharing: Storage = {
    ...storage,
    cloneFile: async (from, to) => {
      await storage.copyFile(from, to)
      return true
    },
  }

  async function inPlace(output: string, options: { force?: boolean; through?: Storage } = {}) {
    const source = await openTensors(storage, at('source'))
    const target = await openTensors(storage, at('target'))
    try {
      return await transferInPlace(options.through ?? sharing, matchTensors(source, target), at(output), options)
    } finally {
      await source.close()
      await target.close()
    }
  }

  it('the result is that of a transfer', async () => {
    writeBoth()
    await run('expected')
    await inPlace('out')
    expect(fs.readFileSync(at('out'))).toEqual(fs.readFileSync(at('expected')))
    await inPlace('target', { force: true })
    expect(fs.readFileSync(at('target'))).toEqual(fs.readFileSync(at('expected')))
    expect(names()).toEqual(['expected', 'out', 'source', 'target'])
  })

  it('the target stays as it was, or is whole, whatever call fails', async () => {
    writeBoth()
    await run('expected')
    const before = fs.readFileSync(at('target'))
    const whole = fs.readFileSync(at('expected'))
    const { storage: through, calls } = faultyStorage(sharing)
    await inPlace('target', { force: true, through })
    for (let failAt = 1; failAt <= calls.length; failAt += 1) {
      fs.writeFileSync(at('target'), before)
      const faulty = faultyStorage(sharing, { failAt, errno: 'ENOSPC' })
      await inPlace('target', { force: true, through: faulty.storage }).catch((error: unknown) =>
        expect(error).toMatchObject({ code: 'system' }),
      )
      expect([before.toString('hex'), whole.toString('hex')]).toContain(fs.readFileSync(at('target')).toString('hex'))
      expect(names()).toEqual(['expected', 'source', 'target'])
    }
  })

  it('where no blocks can be shared all is written, which is told', async () => {
    writeBoth()
    await run('expected')
    expect(await inPlace('out', { through: sharing })).toMatchObject({ sharesBlocks: true })
    const cloneFile = () => Promise.resolve(false)
    expect(await inPlace('target', { force: true, through: { ...storage, cloneFile } })).toEqual({
      path: at('target'),
      files: [at('target')],
      bytes: fs.statSync(at('expected')).size,
      sharesBlocks: false,
    })
    for (const name of ['out', 'target']) expect(fs.readFileSync(at(name))).toEqual(fs.readFileSync(at('expected')))
    expect(names()).toEqual(['expected', 'out', 'source', 'target'])
  })

  it('only what changes is written', async () => {
    writeBoth()
    const { storage: through, calls } = faultyStorage(sharing)
    await inPlace('out', { through })
    expect(calls.map((call) => call.split(' ')[0])).toEqual([
      'cloneFile', 'amend', 'copyFrom', 'copyFrom', 'sync', 'close', 'hardLink', 'unlink', 'syncDirectory',
    ]) // prettier-ignore
  })
})
