/** `ckpt convert` of a torch file of 1 GiB to safetensors against `cp FILE OUT && sync OUT`. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ckpt, compare, copyCase, runOnce } from './harness.mjs'
import { writeSafetensors } from './safetensors-data.mjs'

const count = 200

export async function benchConvert(folder) {
  const [plain, torch, output] = ['plain.safetensors', 'model.pt', 'out.safetensors'].map((name) => join(folder, name))
  const bytesEach = Math.floor(2 ** 30 / count / 4) * 4
  writeSafetensors(plain, { count, bytesEach, nameOf: (i) => `layer.${i}.weight`, seed: 1 })
  await runOnce(folder, ckpt('convert', plain, '--to', 'torch', '--output', torch))
  rmSync(plain)
  const after = () => rmSync(output)
  const cases = [
    copyCase(torch, output, after),
    {
      name: 'ckpt convert --to safetensors',
      args: ckpt('convert', torch, '--to', 'safetensors', '--output', output),
      most: 1.5,
      after,
    },
  ]
  return compare(folder, 'a torch file of 1 GiB in 200 tensors (convert under 150 MB)', 5, cases, 150)
}
