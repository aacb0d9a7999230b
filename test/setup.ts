/** Run anew before each test file. */
import { afterAll, afterEach } from 'vitest'
import { end } from './when-over.js'

// A folder that anybody may write to is not a place for settings: files are made as most people make them.
process.umask(0o022)

afterEach(() => end('test'))
// A busy disk takes its time to forget 10,000 folders.
afterAll(() => end('file'), 60_000)
