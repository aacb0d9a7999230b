import { join } from 'node:path'
import { expect, it } from 'vitest'
import { floats, writeTensors } from '../core/tensors/transfer/files.js'
import { ckpt, temporaryDirectory } from './ckpt.js'

/** Two files that differ in what is narrower than a byte. */
function files(): [string, string] {
  const folder = temporaryDirectory()
  const write = (name: string, byte: number) =>
    writeTensors(join(folder, name), [
      { name: 'quantised', dtype: 'F4', shape: [2], data: Uint8Array.of(byte) },
      floats('w', [1], [1]),
    ])
  return [write('a.safetensors', 0x12), write('b.safetensors', 0x21)]
}

it('diff --values does not pass as equal what it cannot compare', async () => {
  const shown = await ckpt(['diff', ...files(), '--values', '--exit-code'])
  expect([shown.status, shown.stderr]).toEqual([1, 'warning: values of 1 tensor cannot be compared: quantised (F4)\n'])
  expect(shown.stdout).toContain('of 1 compared 1 are equal')
  const { stdout } = await ckpt(['diff', ...files(), '--values', '--json'])
  expect(JSON.parse(stdout)).toMatchObject({ alike: 2, uncompared: ['quantised'] })
})

it('average refuses what has no mean, by its name, and goes on without it', async () => {
  const output = join(temporaryDirectory(), 'out.safetensors')
  const { status, stderr } = await ckpt(['average', ...files(), '-o', output])
  expect(status).toBe(5)
  expect(stderr).toContain('a.safetensors: quantised is F4, of which no mean can be taken')
  expect((await ckpt(['average', ...files(), '-o', output, '--exclude', 'quantised'])).status).toBe(0)
})
