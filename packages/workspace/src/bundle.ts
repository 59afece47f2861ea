/**
 * `pnpm build`'s second half: core as a few files instead of two hundred, since an import costs by the
 * file. What several subpaths share is one chunk, so that each class is there once.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'

const core = join(import.meta.dirname, '../../core')
const target = join(core, 'lib')

interface Exports {
  readonly publishConfig: { readonly exports: Record<string, string | { default: string }> }
}

const manifest = JSON.parse(readFileSync(join(core, 'package.json'), 'utf8')) as Exports
const input: Record<string, string> = {}
for (const entry of Object.values(manifest.publishConfig.exports)) {
  if (typeof entry === 'string') continue
  const name = entry.default.replace('./lib/', '').replace(/\.js$/, '')
  input[name] = join(core, 'dist', `${name}.js`)
}
const bundle = await rolldown({ input, platform: 'neutral', external: [/^node:/] })
const { output } = await bundle.generate({
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name].js',
})
await bundle.close()
rmSync(target, { recursive: true, force: true })
for (const file of output) {
  if (file.type !== 'chunk') throw new Error(`${file.fileName}: core has nothing but code`)
  const path = join(target, file.fileName)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, file.code)
}

const load = (name: string): Promise<Record<string, unknown>> =>
  import(pathToFileURL(join(target, name)).href) as Promise<Record<string, unknown>>
const [root, errors] = [await load('index.js'), await load('errors/index.js')]
if (root['MicroError'] === undefined || root['MicroError'] !== errors['MicroError']) {
  throw new Error('lib: subpaths do not share their classes')
}
