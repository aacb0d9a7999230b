/**
 * Global setup of the tests that start the program: a folder for its compiled code. Each command has a cache folder of
 * its own there (ckpt.ts): together they are more than ckpt keeps in one, and would push each other out at each start.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Absolute path; not there for tests of another configuration. */
    codeCaches?: string
  }
}

export default function setup({ provide }: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'ckpt-code-'))
  provide('codeCaches', folder)
  return () => rmSync(folder, { recursive: true, force: true })
}
