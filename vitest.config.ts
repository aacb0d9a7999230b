import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They need mounts: npm run test:mounts.
    exclude: ['test/mounts/**'],
    testTimeout: 30_000,
    coverage: { provider: 'v8', include: ['src/**'], exclude: ['src/commands/**'], reporter: ['text-summary', 'html'] },
  },
})
