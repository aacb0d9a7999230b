/** Run anew before each file of the unit tests. */
import { afterAll, afterEach } from 'vitest'
import { end } from './when-over.js'

afterEach(() => end('test'))
// A busy disk takes its time to forget 10,000 folders.
afterAll(() => end('file'), 60_000)
