/** The Python that the benches measure against: one with torch and safetensors, where there is one. */
import { spawnSync } from 'node:child_process'

const imports = 'import torch, safetensors.torch'

/** Its path: CKPT_BENCH_PYTHON, or python3; undefined, which is said, where it cannot import both. */
export function findPython() {
  const python = process.env.CKPT_BENCH_PYTHON ?? 'python3'
  if (spawnSync(python, ['-c', imports], { stdio: 'ignore' }).status === 0) return python
  console.log(
    `\nnot measured against Python: ${python} cannot "${imports}"; CKPT_BENCH_PYTHON names one that can, ` +
      'such as a virtual environment with pip install torch safetensors numpy',
  )
  return undefined
}

/** A case of `compare`; the file that the code writes is `sys.argv[1]`, and is synced as the others' are. */
export function pythonCase(python, name, code, output, inputs, after) {
  const script = `import os, sys, torch\nfrom safetensors.torch import load_file, save_file\ntorch.set_num_threads(2)\n${code}\nos.fsync(os.open(sys.argv[1], os.O_RDONLY))`
  return { name, command: [python, ['-c', script, output, ...inputs]], after }
}
