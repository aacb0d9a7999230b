/** Folders of a test file, removed when it is over. */
import { cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { letRest } from './let-rest.js'
import { whenFileIsOver } from './when-over.js'

const fixtures = fileURLToPath(new URL('./fixtures', import.meta.url))
const temporary: string[] = []

whenFileIsOver(() => {
  for (const path of temporary.splice(0)) rmSync(path, { recursive: true, force: true })
})

export function temporaryDirectory(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'ckpt-test-')))
  temporary.push(path)
  return path
}

/** A copy of test/fixtures/NAME that rests (let-rest.ts), with links as they are; gives its path. */
export function copyFixture(name: string): string {
  const copy = join(temporaryDirectory(), name.replaceAll('/', '-'))
  cpSync(join(fixtures, name), copy, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
  letRest(copy)
  return copy
}
