/**
 * The Python environments that `npm run test:frameworks` keeps in the user's cache, and which framework is in which:
 * not all of them can live together. Some 10 GB from PyPI at the first time.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ckpt-frameworks')

/**
 * `packages`: lists for pip, installed in this order: what comes later must not move torch. `sees`: the environment
 * whose packages are seen too. `python`: the interpreter, where not any will do.
 */
const environments = {
  base: {
    packages: [
      ['torch==2.13.0', 'numpy<2.3'],
      ['transformers', 'accelerate', 'safetensors', 'peft', 'lightning', 'hyperpyyaml', 'joblib', 'sentencepiece'],
      ['ckpt-chaos'],
      ['--no-deps', 'speechbrain'],
      ['torchaudio==2.11.1'],
      ['diffusers', 'sentence-transformers'],
    ],
  },
  sharded: {
    sees: 'base',
    packages: [
      ['setuptools', 'wheel'],
      ['--no-build-isolation', 'deepspeed==0.19.8'],
    ],
  },
  formats: {
    packages: [
      ['tensorflow-cpu', 'keras'],
      ['jax', 'flax', 'orbax-checkpoint'],
    ],
  },
  variants: {
    sees: 'base',
    packages: [['mmengine'], ['timm', '--no-deps'], ['torchvision==0.28.0', '--no-deps'], ['ultralytics'], ['fvcore']],
  },
  titan: { sees: 'base', packages: [['torchtitan==0.3.0']] },
  // Its archive has no sources of what it would compile, and its setup.py compiles nothing for Read the Docs.
  fairseq: {
    python: 'python3.9',
    packages: [
      ['pip<24.1', 'setuptools<70', 'wheel', 'cython<3', 'numpy<1.24', 'torch==1.12.1'],
      ['--no-build-isolation', 'fairseq==0.12.2'],
    ],
    variables: { READTHEDOCS: '1' },
  },
}

/** By the name of its script and of what it is called here: where it is, and what must import for it. */
const homes = {
  speechbrain: { environment: 'base', module: 'speechbrain' },
  transformers: { environment: 'base', module: 'transformers' },
  lightning: { environment: 'base', module: 'lightning' },
  accelerate: { environment: 'base', module: 'accelerate' },
  dcp: { environment: 'base', module: 'torch.distributed.checkpoint' },
  deepspeed: { environment: 'sharded', module: 'deepspeed' },
  torchtitan: { environment: 'titan', module: 'torchtitan' },
  orbax: { environment: 'formats', module: 'orbax.checkpoint' },
  keras: { environment: 'formats', module: 'keras' },
  tensorflow: { environment: 'formats', module: 'tensorflow' },
  mmengine: { environment: 'variants', module: 'mmengine' },
  detectron2: { environment: 'variants', module: 'fvcore.common.checkpoint' },
  timm: { environment: 'variants', module: 'timm' },
  ultralytics: { environment: 'variants', module: 'ultralytics' },
  fairseq: { environment: 'fairseq', module: 'fairseq' },
}

/** Names of all frameworks that are tried. */
export const frameworkNames = Object.keys(homes)

/** What could not be had, in words. */
export const missing = []
const prepared = new Map()

/**
 * The Python that has the framework, made now where it was not; null where it cannot be had (then `missing` says why).
 */
export function pythonOf(framework) {
  const { environment, module } = homes[framework]
  if (!prepared.has(environment)) prepared.set(environment, prepare(environment))
  const python = prepared.get(environment)
  const tried = python === null ? null : spawnSync(python, ['-c', `import ${module}`], { encoding: 'utf8' })
  if (tried?.status === 0) return python
  missing.push(`${framework}: ${tried === null ? 'no Python for it' : (tried.stderr.trim().split('\n').at(-1) ?? '')}`)
  return null
}

/** Once made it is kept; the mark `ready` comes last, so that what was interrupted goes on the next time. */
function prepare(name) {
  const { packages, sees, python = 'python3', variables = {} } = environments[name]
  if (sees !== undefined && !prepared.has(sees)) prepared.set(sees, prepare(sees))
  const folder = join(cache, name)
  const inside = join(folder, 'bin/python')
  if (existsSync(join(folder, 'ready'))) return inside
  mkdirSync(cache, { recursive: true })
  if (!existsSync(inside)) {
    try {
      execFileSync(python, ['-m', 'venv', folder], { stdio: 'inherit' })
    } catch {
      return null
    }
  }
  if (sees !== undefined) lookInto(inside, sees)
  const failed = packages.filter((some) => {
    const install = spawnSync(inside, ['-m', 'pip', 'install', '-q', ...some], {
      stdio: 'inherit',
      env: { ...process.env, ...variables },
    })
    return install.status !== 0
  })
  for (const some of failed) missing.push(`${name}: pip could not install ${some.join(' ')}`)
  if (failed.length === 0) writeFileSync(join(folder, 'ready'), '')
  return inside
}

/** Gigabytes of torch are there once. */
function lookInto(python, other) {
  const where = (of) => execFileSync(of, ['-c', 'import site;print(site.getsitepackages()[0])'], { encoding: 'utf8' })
  writeFileSync(join(where(python).trim(), 'base.pth'), where(join(cache, other, 'bin/python')))
}
