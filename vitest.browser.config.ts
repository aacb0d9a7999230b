import { defineConfig } from 'vitest/config'

/** `npm run test:browser` has found a Chromium for them (scripts/test-browser.mjs). */
export default defineConfig({
  test: {
    include: ['test/browser/**/*.browser.ts'],
    setupFiles: 'test/setup.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
})
