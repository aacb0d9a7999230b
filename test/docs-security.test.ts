/** What docs/security.md promises is held by the tests that it names: they are there. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = readFileSync(join(root, 'docs/security.md'), 'utf8')
/** Rows of tables: a promise or an attack, and its test. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:-|promise|attack)/.test(line))
  .map((line) => line.split('|').slice(1, 3))

it('each promise and each attack names a test, and each test that is named is there', () => {
  expect(rows.length).toBeGreaterThan(25)
  expect(rows.filter(([, tests = '']) => !/`test\/|the same/.test(tests))).toEqual([])
  const named = [...page.matchAll(/`(test\/[\w./-]+)`(?:, `([\w-]+\.test\.ts)`)?/g)].flatMap(([, path = '', beside]) =>
    beside === undefined ? [path] : [path, join(dirname(path), beside)],
  )
  expect(named.length).toBeGreaterThan(30)
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([])
})
