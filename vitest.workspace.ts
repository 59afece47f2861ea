import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: ['packages/*', 'plugins/*', 'examples/*'],
    reporters: ['default', './packages/workspace/src/test-report.ts'],
    // A test that fails now and then is a defect, of the code or of the test.
    retry: 0,
  },
})
