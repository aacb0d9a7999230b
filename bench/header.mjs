/** `ckpt tensors` on a file of 2 GiB against `node -e 0`, and on a torch file of 100,000 tensors. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ckpt, compare, runOnce } from './harness.mjs'
import { writeSafetensors } from './safetensors-data.mjs'

export async function benchHeader(folder) {
  const [large, plain, many] = ['large.safetensors', 'plain.safetensors', 'many.pt'].map((name) => join(folder, name))
  const bytesEach = Math.floor(2 ** 31 / 400 / 4) * 4
  writeSafetensors(large, { count: 400, bytesEach, nameOf: (i) => `layer.${i}.weight`, seed: 1 })
  writeSafetensors(plain, { count: 100_000, bytesEach: 16, nameOf: (i) => `layers.${i >> 3}.${i & 7}.weight`, seed: 1 })
  await runOnce(folder, ckpt('convert', plain, '--to', 'torch', '--output', many))
  rmSync(plain)
  const cases = [
    { name: 'node -e 0', args: ['-e', '0'] },
    { name: 'ckpt tensors, 2 GiB', args: ckpt('tensors', large), most: 2 },
    { name: 'ckpt tensors, 100,000 in a torch file', args: ckpt('tensors', many), mostMilliseconds: 1000 },
  ]
  return compare(folder, 'headers alone', 15, cases, Infinity)
}
