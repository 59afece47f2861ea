import { readdirSync, readFileSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

const roots = ['packages', 'plugins', 'examples'].flatMap((folder) =>
  readdirSync(folder).map((name) => `${folder}/${name}`),
)

export default defineConfig({
  test: {
    projects: roots.map((root) => ({
      test: {
        root,
        // For a machine that is slow or new to the servers: the first start of one reads it all from disk.
        // (Of the flags of the same names, the one for hooks does not reach projects.)
        testTimeout: 60_000,
        hookTimeout: 120_000,
        name: (JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { name: string }).name,
        // Most tests wait for servers and timers. Fleets of processes, which are measured, run after all
        // others, one at a time.
        ...(root === 'packages/proofs'
          ? { maxWorkers: 1, sequence: { groupOrder: 1 } }
          : { maxWorkers: 3 }),
      },
    })),
    reporters: ['default', './packages/workspace/src/test-report.ts'],
    // A test that fails now and then is a defect, of the code or of the test.
    retry: 0,
  },
})
