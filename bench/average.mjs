/** `ckpt average` of five files of 512 MiB against torch on the same cores. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ckpt, compare, copyCase, runOnce } from './harness.mjs'
import { findPython, pythonCase } from './python.mjs'
import { writeSafetensors } from './safetensors-data.mjs'

const files = 5
const count = 100

/** As SpeechBrain's average_state_dicts has it (speechbrain/utils/checkpoints.py). */
const code = `
mean = torch.load(sys.argv[2])
for path in sys.argv[3:]:
    for name, tensor in torch.load(path).items():
        mean[name] += tensor
for tensor in mean.values():
    tensor /= len(sys.argv) - 2
torch.save(mean, sys.argv[1])`

export async function benchAverage(folder) {
  const paths = Array.from({ length: files }, (_, index) => join(folder, `${index}.pt`))
  const bytesEach = Math.floor(2 ** 29 / count / 4) * 4
  for (const [index, path] of paths.entries()) {
    const plain = join(folder, 'plain.safetensors')
    writeSafetensors(plain, { count, bytesEach, nameOf: (i) => `layer.${i}.weight`, seed: index })
    await runOnce(folder, ckpt('convert', plain, '--to', 'torch', '--output', path))
    rmSync(plain)
  }
  const output = join(folder, 'out.pt')
  const after = () => rmSync(output)
  const python = findPython()
  const peers = python ? [pythonCase(python, 'torch', code, output, paths, after)] : []
  const cases = [
    copyCase(paths[0], output, after),
    {
      name: 'ckpt average',
      args: ckpt('average', ...paths, '--output', output),
      fasterThan: peers.map((peer) => [peer, 1]),
      after,
    },
    ...peers,
  ]
  return compare(folder, '5 torch files of 512 MiB in 100 tensors each (average under 300 MB)', 5, cases, 300)
}
