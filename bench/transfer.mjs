/** `ckpt transfer` of 2 GiB against `cp TARGET OUT && sync OUT`, and against Python's load_file and save_file. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ckpt, compare, copyCase } from './harness.mjs'
import { findPython, pythonCase } from './python.mjs'
import { writeSafetensors } from './safetensors-data.mjs'

const count = 400
/** Tensors that have their names in the source too. */
const common = 300
const bytesEach = Math.floor(2 ** 31 / count / 4) * 4

const code = `
source, target = load_file(sys.argv[2]), load_file(sys.argv[3])
target.update((name, tensor) for name, tensor in source.items() if name in target)
save_file(target, sys.argv[1])`

export async function benchTransfer(folder) {
  const [source, target, output] = ['source', 'target', 'out'].map((name) => join(folder, `${name}.safetensors`))
  writeSafetensors(source, { count, bytesEach, nameOf: (i) => `${i < common ? 'layer' : 'old'}.${i}.weight`, seed: 1 })
  writeSafetensors(target, { count, bytesEach, nameOf: (i) => `layer.${i}.weight`, seed: 2 })
  const after = () => rmSync(output)
  const python = findPython()
  const peers = python ? [pythonCase(python, 'Python', code, output, [source, target], after)] : []
  const cases = [
    copyCase(target, output, after),
    {
      name: 'ckpt transfer',
      args: ckpt('transfer', source, target, '--output', output),
      most: 1.3,
      fasterThan: peers.map((peer) => [peer, 1.5]),
      after,
    },
    ...peers,
  ]
  return compare(folder, '2 GiB in 400 tensors, 300 of them in common (transfer under 150 MB)', 5, cases, 150)
}
