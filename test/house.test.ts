/** What `npm run house` refuses of a folder like src. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { write } from './core/checkpoints/layouts/folders.js'
import { temporaryDirectory } from './temporary.js'

const script = fileURLToPath(new URL('../scripts/check-house.mjs', import.meta.url))

function check(files: Readonly<Record<string, string>>) {
  const { status, stderr } = spawnSync(process.execPath, [script, write(temporaryDirectory(), files)], {
    encoding: 'utf8',
  })
  return { status, stderr }
}

it('accepts folders that import one way, through files of the folder above too', () => {
  const files = {
    'core/runs/index.ts': `export * from './export/plan.js'\n`,
    'core/runs/export/plan.ts': `import { rank } from '../ranking/rank.js'\nimport '../run.js'\n`,
    'core/runs/ranking/rank.ts': `export const rank = await import('../run.js')\n`,
    'core/runs/run.ts': '',
  }
  expect(check(files)).toEqual({ status: 0, stderr: '' })
})

it('refuses a circle of folders that no file is on, at any depth, with the imports that make it', () => {
  const files = {
    'core/formats/a/deep/one.ts': `import '../../b/two.js'\n`,
    'core/formats/b/two.ts': '',
    'core/formats/b/three.ts': `import type { Four } from '../a/four.js'\n`,
    'core/formats/a/four.ts': '',
  }
  const { status, stderr } = check(files)
  expect(status).toBe(1)
  expect(stderr).toBe(
    [
      'a circle of what stands in src/core/formats: a -> b -> a',
      '  core/formats/a/deep/one.ts imports core/formats/b/two.ts',
      '  core/formats/b/three.ts imports core/formats/a/four.ts',
      '',
    ].join('\n'),
  )
})

it('refuses a folder and a file beside it that import each other', () => {
  const files = { 'cli/request.ts': `import './settings/values.js'\n`, 'cli/settings/values.ts': '' }
  expect(check(files).status).toBe(0)
  const { status, stderr } = check({ ...files, 'cli/settings/policy.ts': `import '../request.js'\n` })
  expect(status).toBe(1)
  expect(stderr).toContain('a circle of what stands in src/cli: request.ts -> settings -> request.ts')
})

it('refuses a circle of files that a dynamic import closes, and a file outside of all places', () => {
  const { status, stderr } = check({
    'cli/a.ts': `import './b.js'\n`,
    'cli/b.ts': `export const a = () => import('./a.js')\n`,
    'loose.ts': '',
  })
  expect(status).toBe(1)
  expect(stderr).toContain('a circle of imports:\n  cli/a.ts\n  cli/b.ts\n  cli/a.ts')
  expect(stderr).toContain('src/loose.ts stands in no place of the house')
})
