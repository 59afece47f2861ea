import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      'packages/!(proofs)',
      'plugins/*',
      'examples/*',
      // After all others and one at a time: fleets of processes that measure.
      {
        test: {
          root: './packages/proofs',
          name: '@micro/proofs',
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    // Most of them wait for servers and timers.
    maxWorkers: 3,
    reporters: ['default', './packages/workspace/src/test-report.ts'],
    // A test that fails now and then is a defect, of the code or of the test.
    retry: 0,
  },
})
