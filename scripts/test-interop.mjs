/**
 * npm run test:interop: what ckpt writes against the real SpeechBrain and PyYAML, and the other way round.
 *
 * Needs Debian's python3-torch (as root it is installed) and the packages in test/interop/requirements.txt, which are
 * kept in a virtual environment under node_modules/.cache. Where these cannot be had it says what was not tested, and
 * succeeds.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { install, run, Unavailable, works } from './debian.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const requirements = join(root, 'test', 'interop', 'requirements.txt')
const debian = ['python3-torch', 'python3-venv', 'python3-yaml']
const imports = 'import torch, yaml, venv, ensurepip'

/** A Python that has torch: the system's, for a pip of its own would bring gigabytes. */
function findPython() {
  const python = '/usr/bin/python3'
  if (works(python, ['-c', imports])) return python
  install(debian, `${python} cannot "${imports}"`)
  run(python, ['-c', imports])
  return python
}

/** The mark `ready` comes last: an installation that was interrupted is begun again. */
function prepare(python) {
  const version = run(python, ['--version'])
  const key = createHash('sha256').update(version).update(readFileSync(requirements)).digest('hex').slice(0, 16)
  const environment = join(root, 'node_modules', '.cache', 'ckpt-interop', key)
  const inside = join(environment, 'bin', 'python')
  if (existsSync(join(environment, 'ready'))) return inside
  rmSync(environment, { recursive: true, force: true })
  mkdirSync(dirname(environment), { recursive: true })
  run(python, ['-m', 'venv', '--system-site-packages', environment])
  run(inside, ['-m', 'pip', 'install', '--quiet', '--no-deps', '-r', requirements])
  mkdirSync(join(environment, 'ready'))
  return inside
}

function prepared() {
  try {
    return prepare(findPython())
  } catch (error) {
    if (error instanceof Unavailable) return error
    throw error
  }
}

const python = prepared()
if (python instanceof Unavailable) {
  console.log(`not tested: whether SpeechBrain and PyYAML read what ckpt writes, and ckpt what they write.`)
  console.log(`reason: ${python.message}`)
} else {
  const vitest = join(root, 'node_modules', '.bin', 'vitest')
  const { status } = spawnSync(vitest, ['run', '--config', 'vitest.interop.config.ts', ...process.argv.slice(2)], {
    stdio: 'inherit',
    cwd: root,
    env: { ...process.env, CKPT_TEST_PYTHON: python },
  })
  process.exitCode = status ?? 1
}
