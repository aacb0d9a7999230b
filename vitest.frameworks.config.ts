import { defineConfig } from 'vitest/config'

/** For `npm run test:frameworks`, which has prepared the Pythons. One at a time: each has the machine to itself. */
export default defineConfig({
  test: {
    include: ['test/frameworks/**/*.frameworks.ts'],
    setupFiles: 'test/setup.ts',
    testTimeout: 600_000,
    hookTimeout: 600_000,
    maxWorkers: 1,
  },
})
