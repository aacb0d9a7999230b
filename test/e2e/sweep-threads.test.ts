/** Threads start from a file of the build, so this storage is the built one. */
import { fileURLToPath } from 'node:url'
import { describe } from 'vitest'
import type * as local from '../../src/core/storage/local.js'
import { testSweeps } from '../core/storage/sweep-suite.js'

const built = fileURLToPath(new URL('../../dist/core/storage/local.js', import.meta.url))
const { localStorage } = (await import(built)) as typeof local

describe('a sweep with threads, as built', () => testSweeps(localStorage()))
