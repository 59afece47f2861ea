/** `pnpm check`: everything that can be told without running the product. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withReadmeCode } from './readme-code.ts'
import { rules } from './rules.ts'
import { readWorkspace } from './workspace.ts'

const root = join(import.meta.dirname, '../../..')
const workspace = readWorkspace(root)
const published = workspace.members.filter(({ manifest }) => manifest.private !== true)
let failed = false

step('format and lint', () => run('biome', ['check', '--error-on-warnings', '.']))
step('types of sources', () => {
  // From nothing, since the compiler leaves the output of a removed source and packing would ship it.
  for (const { path } of published)
    rmSync(join(root, path, 'dist'), { recursive: true, force: true })
  run('tsc', ['-b'])
})
step('types of tests, examples and tools', () =>
  run('tsc', ['-p', 'packages/workspace/tsconfig.tests.json']),
)
step('code in READMEs', () => {
  withReadmeCode(workspace, (project) => run('tsc', ['-p', project]))
})
step('unused files, exports and dependencies', () => run('knip', []))
for (const { name, check } of rules) {
  step(name, () => {
    const wrong = check(workspace)
    if (wrong.length > 0) throw new Error(wrong.join('\n'))
  })
}
step('core in a few files', () => run('node', ['packages/workspace/src/bundle.ts']))
for (const { path, manifest } of published) {
  step(`packed: ${manifest.name}`, () => checkPacked(path))
}
process.exitCode = failed ? 1 : 0

function step(name: string, work: () => void): void {
  const started = performance.now()
  try {
    work()
    console.log(`✓ ${name} (${Math.round(performance.now() - started)} ms)`)
  } catch (error) {
    failed = true
    console.log(`✗ ${name}\n${describe(error)}`)
  }
}

/** What users install: the tarball, not the folder. */
function checkPacked(path: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'micro-pack-'))
  try {
    run('pnpm', ['pack', '--pack-destination', directory], join(root, path))
    const tarball = join(directory, readdirSync(directory)[0] as string)
    run('publint', ['--strict', tarball])
    run('attw', ['--profile', 'esm-only', tarball])
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function run(command: string, parameters: readonly string[], directory: string = root): void {
  execFileSync(command, parameters, { cwd: directory, stdio: 'pipe', maxBuffer: 2 ** 26 })
}

function describe(error: unknown): string {
  const { stdout, stderr, message } = error as { stdout?: Buffer; stderr?: Buffer; message: string }
  const output = `${stdout ?? ''}${stderr ?? ''}`.trim()
  return output === '' ? message : output
}
