import { defineConfig } from 'vitest/config'

/** For `npm run test:interop`, which has prepared a Python. */
export default defineConfig({
  test: { include: ['test/interop/**/*.interop.ts'], setupFiles: 'test/setup.ts', testTimeout: 120_000 },
})
