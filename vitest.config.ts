import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** Tests that start the built program; all others run in their own process. */
const startsTheProgram = ['test/e2e/**/*.test.ts', 'test/examples.test.ts', 'test/killed.test.ts', 'test/races.test.ts']

/** They need mounts: npm run test:mounts. */
const needsMounts = 'test/mounts/**'

export default defineConfig({
  test: {
    testTimeout: 30_000,
    // Tests that start the program wait for it, and some sleep: one worker more than cores leaves none idle.
    maxWorkers: availableParallelism() + 1,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...startsTheProgram, needsMounts],
          // Files of one worker share their modules: to load those anew for each took half of the time.
          isolate: false,
          setupFiles: 'test/setup.ts',
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: startsTheProgram,
          globalSetup: ['test/e2e/code-caches.ts', 'test/e2e/let-rest.ts'],
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
