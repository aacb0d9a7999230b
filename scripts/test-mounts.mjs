/**
 * `npm run test:mounts`: the tests that need mounts or the rights of another user, in a mount namespace of their own,
 * so that nothing of it is seen outside. Where the system allows none, it says so and what was not tested, and exits
 * with 0.
 */
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** Each must work in the namespace. */
const needs = [
  ['a mount namespace', ['true']],
  ['a tmpfs', ['sh', '-c', 'mount -t tmpfs none /mnt || mount -t tmpfs none /tmp']],
]

for (const [what, command] of needs) {
  const { status, error, stderr } = spawnSync('unshare', ['-rm', ...command], { encoding: 'utf8' })
  if (status !== 0) {
    const reason = error?.message ?? stderr.trim()
    console.log(`test:mounts: this system gives no ${what.replace(/^an? /, '')} (unshare -rm: ${reason})`)
    console.log('test:mounts: NOT TESTED: full disks, read-only mounts, several file systems, unreadable folders')
    process.exit(0)
  }
}

const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
const { status } = spawnSync(
  'unshare',
  ['-rm', process.execPath, vitest, 'run', '--config', join(root, 'vitest.mounts.config.ts')],
  { cwd: root, stdio: 'inherit' },
)
process.exitCode = status ?? 1
