import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** They start the built program; all others need no build. */
const e2e = 'test/e2e/**/*.test.ts'

/** They need mounts: npm run test:mounts. */
const needsMounts = 'test/mounts/**'

export default defineConfig({
  test: {
    testTimeout: 30_000,
    setupFiles: 'test/setup.ts',
    // Tests that start the program wait for it, and some sleep: one worker more than cores leaves none idle.
    maxWorkers: availableParallelism() + 1,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [e2e, needsMounts],
          // Files of one worker share their modules: to load those anew for each took half of the time.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: [e2e],
          globalSetup: ['test/e2e/code-caches.ts', 'test/let-rest.ts'],
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
