/** What `npm run house` refuses of a folder like src, and lint of a file in it. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Linter, type Rule } from 'eslint'
import tseslint from 'typescript-eslint'
import { expect, it } from 'vitest'
// @ts-expect-error It is a script, without types.
import { orderRule } from '../scripts/house.mjs'
import { write } from './core/checkpoints/layouts/folders.js'
import { temporaryDirectory } from './temporary.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const script = join(root, 'scripts/check-house.mjs')

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
    'core/loose.ts': '',
  })
  expect(status).toBe(1)
  expect(stderr).toContain('a circle of imports:\n  cli/a.ts\n  cli/b.ts\n  cli/a.ts')
  expect(stderr).toContain('src/loose.ts stands in no place of the house')
  expect(stderr).toContain('src/core/loose.ts stands in no place of the house')
})

it.each(['export const a = () => import(`./a.js`)', "export type A = import('./a.js').A"])(
  'refuses a circle of files that %s closes',
  (line) => {
    const { status, stderr } = check({ 'cli/a.ts': `import './b.js'\n`, 'cli/b.ts': `${line}\n` })
    expect(status).toBe(1)
    expect(stderr).toContain('a circle of imports:\n  cli/a.ts\n  cli/b.ts\n  cli/a.ts')
  },
)

/** What lint's rule of the order says of a line in a file of src. */
function lint(file: string, line: string): string[] {
  const linter = new Linter({ cwd: root })
  const messages = linter.verify(
    line,
    [
      {
        files: ['**/*.ts'],
        languageOptions: { parser: tseslint.parser },
        plugins: { house: { rules: { order: orderRule as unknown as Rule.RuleModule } } },
        rules: { 'house/order': 'error' },
      },
    ],
    { filename: join(root, 'src', file) },
  )
  return messages.map(({ message }) => message)
}

it.each([
  `import { run } from '../../runs/index.js'`,
  `import type { Run } from '../../runs/index.js'`,
  `export { run } from '../../runs/index.js'`,
  `export * from '../../runs/index.js'`,
  `export const run = () => import('../../runs/index.js')`,
  'export const run = () => import(`../../runs/index.js`)',
  `export type Run = import('../../runs/index.js').Run`,
])('lint refuses an arrow upwards: %s', (line) => {
  const [message, ...others] = lint('core/tensors/read/open.ts', line)
  expect(message).toMatch(/^core\/tensors may import .*, and not core\/runs \(docs\/design\.md §2\)$/)
  expect(others).toEqual([])
})

it('lint accepts what stands below, and refuses a dynamic import of which it cannot tell', () => {
  expect(lint('core/runs/run.ts', `import '../tensors/read/open.js'\nimport 'node:path'`)).toEqual([])
  expect(lint('core/runs/run.ts', 'export const load = (name: string) => import(name)')).toEqual([
    'an import names its file as a text, so that the order of the house holds for it',
  ])
})
