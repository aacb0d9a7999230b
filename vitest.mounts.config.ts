import { defineConfig } from 'vitest/config'

/** `npm run test:mounts` runs these in a mount namespace (scripts/test-mounts.mjs). */
export default defineConfig({
  test: { include: ['test/mounts/**/*.test.ts'], setupFiles: 'test/setup.ts', testTimeout: 60_000 },
})
