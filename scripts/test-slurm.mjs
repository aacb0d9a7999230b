/**
 * `npm run test:slurm`: the tests that need a real Slurm, on one of one node that is started for them on loopback and
 * stopped at the end (test/slurm/cluster.mjs). Debian's slurm-wlm is installed when it is missing and we are root.
 * Where Slurm cannot be had it says so and what was not tested, and exits with 0.
 */
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startCluster } from '../test/slurm/cluster.mjs'
import { install, Unavailable, works } from './debian.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const programs = ['slurmctld', 'slurmd', 'sbatch', 'scontrol', 'srun']

/** Why there is no Slurm here; null when there is one. */
function whyMissing() {
  const missing = programs.filter((program) => !works('sh', ['-c', `command -v ${program}`]))
  if (missing.length === 0) return null
  try {
    install(['slurm-wlm'], `there is no ${missing.join(', no ')}`)
    return null
  } catch (error) {
    if (error instanceof Unavailable) return error.message
    throw error
  }
}

const reason = whyMissing()
if (reason !== null) {
  console.log(`test:slurm: Slurm cannot be installed here: ${reason}`)
  console.log('test:slurm: NOT TESTED: warning signals, requeues, job arrays, chains and preemption under a real Slurm')
  process.exit(0)
}

const cluster = await startCluster()
let status = 1
try {
  status = await test(cluster.environment)
} finally {
  await cluster.stop()
}
process.exitCode = status

/** A Ctrl-C reaches the tests by itself; they end, and then the cluster is stopped in order. */
function test(env) {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const args = [vitest, 'run', '--config', join(root, 'vitest.slurm.config.ts'), ...process.argv.slice(2)]
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' })
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
