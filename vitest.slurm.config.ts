import { defineConfig } from 'vitest/config'

/** `npm run test:slurm` has started a Slurm for them (scripts/test-slurm.mjs). The jobs mostly sleep: all at once. */
export default defineConfig({
  test: {
    include: ['test/slurm/**/*.slurm.ts'],
    setupFiles: 'test/setup.ts',
    testTimeout: 120_000,
    maxWorkers: 8,
    sequence: { concurrent: true },
  },
})
