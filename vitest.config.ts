import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They need mounts: npm run test:mounts.
    exclude: ['test/mounts/**'],
    testTimeout: 30_000,
    // Many tests start the program and wait for it: vitest's own count leaves a core idle.
    maxWorkers: '100%',
    coverage: {
      provider: 'v8',
      include: ['src/core/**'],
      reporter: ['text-summary', 'html'],
      // Of what runs in the tests' own process; test/e2e starts the program itself.
      thresholds: { lines: 85, branches: 75 },
    },
  },
})
