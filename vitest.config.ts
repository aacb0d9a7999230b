import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { SlowFirst } from './test/slow-first.js'

/** They start the built program; all others need no build. */
const e2e = 'test/e2e/**/*.test.ts'

/** They need mounts: npm run test:mounts. */
const needsMounts = 'test/mounts/**'

/** Before all else: it says where temporary folders are. */
const inMemory = 'test/in-memory.ts'

export default defineConfig({
  test: {
    // Against what never ends: on a machine with nine times as much to do as it has cores, each start takes seconds.
    testTimeout: 120_000,
    setupFiles: 'test/setup.ts',
    // Tests that start the program wait for it, and some sleep: one worker more than cores leaves none idle.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: SlowFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [e2e, needsMounts],
          globalSetup: inMemory,
          // Files of one worker share their modules: to load those anew for each took half of the time.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: [e2e],
          globalSetup: [inMemory, 'test/e2e/code-caches.ts', 'test/let-rest.ts'],
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/core/**'],
      reporter: ['text-summary', 'html'],
      // Of what runs in the tests' own process; the project e2e starts the program itself.
      thresholds: { lines: 85, branches: 75 },
    },
  },
})
