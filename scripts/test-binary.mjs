/**
 * `npm run test:binary [TEST…]`: the e2e tests against the one-file executable, on a PATH without node. Left out are those
 * of what it has not: a cache of compiled code, the library, messages of a checkout; and those that have Node measure itself.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pathWithoutNode } from './without-node.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const leftOut = ['test/e2e/start.test.ts', 'test/e2e/library-examples.test.ts', 'test/e2e/bounded.test.ts']
const place = mkdtempSync(join(tmpdir(), 'ckpt-binary-'))

try {
  const args = ['run', '--project', 'e2e', ...leftOut.flatMap((file) => ['--exclude', file]), ...process.argv.slice(2)]
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), ...args], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      PATH: pathWithoutNode(join(place, 'bin')),
      CKPT_TEST_EXECUTABLE: join(root, 'dist', 'binary', `ckpt-linux-${process.arch}`),
    },
  })
  process.exitCode = status ?? 1
} finally {
  rmSync(place, { recursive: true, force: true })
}
