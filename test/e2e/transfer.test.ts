import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { floats, floatsIn, readTensors, writeTensors, type Content } from '../core/tensors/transfer/files.js'
import { ckpt, temporaryDirectory } from './ckpt.js'
import { document, parse } from './runs.js'

interface Report {
  readonly matched: readonly string[]
  readonly missing: readonly string[]
  readonly unexpected: readonly string[]
  readonly mismatched: readonly { readonly name: string }[]
  readonly cast: readonly { readonly name: string; readonly from: string; readonly to: string }[]
  readonly output: string | null
  readonly bytes: number
  readonly error?: { readonly code: string }
}

function files(
  source: readonly Content[],
  target: readonly Content[],
): { args: string[]; output: string; folder: string } {
  const folder = temporaryDirectory()
  const args = [
    writeTensors(join(folder, 'source.safetensors'), source),
    writeTensors(join(folder, 'target.safetensors'), target, { made: 'here' }),
  ]
  return { args, output: join(folder, 'out.safetensors'), folder }
}

const pair = () =>
  files(
    [floats('a', [2], [1, 2]), floats('b', [2, 2], [1, 2, 3, 4]), floats('gone', [1], [9])],
    [floats('new', [1], [7]), floats('b', [2, 2], [0, 0, 0, 0]), floats('a', [2], [0, 0])],
  )

describe('ckpt transfer', () => {
  it('reports and writes nothing without --output and with --dry-run', async () => {
    const { args, output, folder } = pair()
    for (const more of [[], ['--output', output, '--dry-run'], ['-o', output, '-n']]) {
      const report = await document<Report>(['transfer', ...args, ...more])
      expect(report).toMatchObject({
        matched: expect.arrayContaining(['a', 'b']) as unknown,
        missing: ['new'],
        unexpected: ['gone'],
        mismatched: [],
        cast: [],
        output: null,
        bytes: 0,
      })
    }
    expect(readdirSync(folder).sort()).toEqual(['source.safetensors', 'target.safetensors'])
    const { stdout, status } = await ckpt(['transfer', ...args])
    expect(status).toBe(0)
    for (const word of ['missing', 'unexpected', 'new', 'gone', 'nothing was written']) expect(stdout).toContain(word)
  })

  it("writes the source's values into the target's structure", async () => {
    const { args, output } = pair()
    const { status, stderr } = await ckpt(['transfer', ...args, '--output', output])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const written = readTensors(output)
    expect([...written.tensors.keys()]).toEqual(['new', 'b', 'a'])
    expect(written.metadata).toEqual({ made: 'here' })
    expect([floatsIn(written, 'new'), floatsIn(written, 'a'), floatsIn(written, 'b')]).toEqual([
      [7],
      [1, 2],
      [1, 2, 3, 4],
    ])
  })

  it("casts to the target's dtype, and says so", async () => {
    const half: Content = { name: 'a', dtype: 'F16', shape: [2], data: new Uint8Array(4) }
    const { args, output } = files([floats('a', [2], [1, -2])], [half])
    const report = await document<Report>(['transfer', ...args, '-o', output])
    expect(report.cast).toEqual([{ name: 'a', from: 'F32', to: 'F16' }])
    expect(readTensors(output).tensors.get('a')?.data).toEqual(Buffer.from([0x00, 0x3c, 0x00, 0xc0]))
  })

  it('refuses shapes that differ, writes nothing, and says which; --skip-mismatched goes on without those', async () => {
    const { args, output } = files(
      [floats('a', [2], [1, 2]), floats('b', [3], [1, 2, 3])],
      [floats('a', [2], [0, 0]), floats('b', [2], [5, 6])],
    )
    const got = await ckpt(['transfer', ...args, '-o', output, '--json'])
    expect(got.status).toBe(5)
    expect(existsSync(output)).toBe(false)
    const report = parse<Report>(got)
    expect(report.error?.code).toBe('refused')
    expect(report.mismatched.map(({ name }) => name)).toEqual(['b'])
    expect((await ckpt(['transfer', ...args, '-o', output])).stderr).toMatch(/b.*\[3\].*\[2\]/s)
    expect((await ckpt(['transfer', ...args, '-o', output, '--skip-mismatched'])).status).toBe(0)
    const written = readTensors(output)
    expect([floatsIn(written, 'a'), floatsIn(written, 'b')]).toEqual([
      [1, 2],
      [5, 6],
    ])
  })

  it('refuses where nothing matches, and tells what nearly does', async () => {
    const { args, output } = files([floats('module.a', [2], [1, 2])], [floats('a', [2], [0, 0])])
    const got = await ckpt(['transfer', ...args, '--no-auto-prefix', '-o', output])
    expect(got.status).toBe(5)
    expect(got.stderr).toContain('--strip-prefix module.')
    expect(existsSync(output)).toBe(false)
    expect((await ckpt(['transfer', ...args, '--no-auto-prefix'])).status).toBe(5)
  })

  it("writes into a folder by the target's name, and makes no file of the folder's name; average does by the newest's", async () => {
    const { args, folder } = pair()
    const into = join(folder, 'into')
    mkdirSync(into)
    for (const command of ['transfer', 'average']) {
      const given = command === 'average' ? [args[1] ?? '', args[1] ?? ''] : args
      expect((await ckpt([command, ...given, '-o', into, '--force'])).stdout).toContain(
        join(into, 'target.safetensors'),
      )
      expect((await ckpt([command, ...given, '-o', into, '--to', 'torch', '--force'])).stdout).toContain(
        join(into, 'target.pt'),
      )
      const { status, stderr } = await ckpt([command, ...given, '-o', join(folder, 'none/')])
      expect([status, stderr]).toEqual([3, expect.stringContaining(`mkdir -p ${join(folder, 'none')}`)])
    }
    expect(readdirSync(into).sort()).toEqual(['target.pt', 'target.safetensors'])
  })

  it('never overwrites without --force', async () => {
    const { args, output, folder } = pair()
    writeFileSync(output, 'mine')
    expect((await ckpt(['transfer', ...args, '-o', output])).status).toBe(5)
    expect(readFileSync(output, 'utf8')).toBe('mine')
    expect((await ckpt(['transfer', ...args, '-o', output, '--force'])).status).toBe(0)
    expect(floatsIn(readTensors(output), 'a')).toEqual([1, 2])
    expect(readdirSync(folder)).toHaveLength(3)
  })

  it('writes over its own target only with --force, and then rightly', async () => {
    const { args } = pair()
    const [, target = ''] = args
    expect((await ckpt(['transfer', ...args, '-o', target])).status).toBe(5)
    expect((await ckpt(['transfer', ...args, '-o', target, '-f'])).status).toBe(0)
    expect(floatsIn(readTensors(target), 'b')).toEqual([1, 2, 3, 4])
  })

  it('a header that lies about its lengths is damage, whichever file it is, and nothing is written', async () => {
    const { args, output, folder } = pair()
    const header = (text: string, length = text.length) => {
      const size = Buffer.alloc(8)
      size.writeBigUInt64LE(BigInt(length))
      return Buffer.concat([size, Buffer.from(text), Buffer.alloc(8)])
    }
    const lies: Record<string, Buffer> = {
      'past the end': header('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4000]}}'),
      'another shape': header('{"a":{"dtype":"F32","shape":[200],"data_offsets":[0,8]}}'),
      'a header of 2^62 bytes': header('{}', 2 ** 62),
      'a header of 90 MB in 10 bytes': header('{}', 90_000_000),
      empty: Buffer.alloc(0),
      'no JSON': header('{"a":'),
    }
    for (const [what, bytes] of Object.entries(lies)) {
      const lying = join(folder, 'lying.safetensors')
      writeFileSync(lying, bytes)
      for (const both of [
        [lying, args[1] ?? ''],
        [args[0] ?? '', lying],
      ]) {
        const got = await ckpt(['transfer', ...both, '-o', output])
        expect([what, got.status, got.stdout]).toEqual([what, 4, ''])
        expect(got.stderr).toContain(lying)
      }
    }
    expect(existsSync(output)).toBe(false)
  })

  it('what is not there is 3, and what is not a safetensors file is told', async () => {
    const { args, folder } = pair()
    expect((await ckpt(['transfer', join(folder, 'nothing'), args[1] ?? ''])).status).toBe(3)
    mkdirSync(join(folder, 'directory'))
    const got = await ckpt(['transfer', join(folder, 'directory'), args[1] ?? ''])
    expect(got.status).toBeGreaterThan(0)
    expect(got.stderr).not.toMatch(/ {4}at /)
  })
})
