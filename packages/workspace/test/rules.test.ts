import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { importsOf } from '../src/imports.ts'
import { codeOf } from '../src/readme-code.ts'
import { rules } from '../src/rules.ts'
import { readWorkspace } from '../src/workspace.ts'

const roots: string[] = []
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true })
})

const exported = {
  exports: { '.': './src/index.ts' },
  publishConfig: { exports: { '.': './dist/index.js' } },
  engines: { node: '>=22.18' },
  sideEffects: false,
  files: ['src', 'dist', '!dist/.tsbuildinfo'],
}
const headings = ['Install', 'Usage', 'Options', 'Supports', 'Operating and debugging', 'Versions']
/** A workspace that keeps every rule. */
const good: Record<string, string> = {
  'tsconfig.json': JSON.stringify({
    references: [{ path: 'packages/core' }, { path: 'plugins/store-x' }],
  }),
  '.changeset/config.json': JSON.stringify({
    ___experimentalUnsafeOptions_WILL_CHANGE_IN_PATCH: {
      onlyUpdatePeerDependentsWhenOutOfRange: true,
    },
  }),
  'packages/core/package.json': JSON.stringify({ name: '@micro/core', ...exported }),
  'packages/core/tsconfig.json': JSON.stringify({ extends: '../../tsconfig.base.json' }),
  'packages/core/src/index.ts':
    "import { AsyncLocalStorage } from 'node:async_hooks'\nexport { a } from './a-b.ts'\n",
  'packages/core/src/a-b.ts': 'export const a = 1\n',
  'plugins/store-x/package.json': JSON.stringify({
    name: '@micro/plugin-store-x',
    ...exported,
    dependencies: { pg: 'catalog:' },
    peerDependencies: { '@micro/core': '^0.1.0' },
    devDependencies: { '@micro/core': 'workspace:*' },
  }),
  'plugins/store-x/tsconfig.json': JSON.stringify({ extends: '../../tsconfig.base.json' }),
  'plugins/store-x/src/index.ts': "import { a } from '@micro/core'\n",
  'plugins/store-x/src/options.ts': '',
  'plugins/store-x/README.md': `# x\n${headings.map((heading) => `\n## ${heading}\n`).join('')}`,
}
const plugin = (over: object): string =>
  JSON.stringify({ ...JSON.parse(good['plugins/store-x/package.json'] as string), ...over })

function broken(files: Record<string, string | undefined>): string[] {
  const root = mkdtempSync(join(tmpdir(), 'micro-rules-'))
  roots.push(root)
  for (const [path, text] of Object.entries({ ...good, ...files })) {
    if (text === undefined) continue
    mkdirSync(join(root, dirname(path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const workspace = readWorkspace(root)
  return rules.filter(({ check }) => check(workspace).length > 0).map(({ name }) => name)
}

test('a workspace that keeps the rules passes all of them', () => {
  expect(broken({})).toEqual([])
})

const core = (over: object): string => JSON.stringify({ name: '@micro/core', ...exported, ...over })
test.each<[string, Record<string, string | undefined>]>([
  [
    'core depends on nothing',
    { 'packages/core/package.json': core({ dependencies: { zod: 'catalog:' } }) },
  ],
  [
    'core imports no node: module but node:async_hooks, and no package',
    { 'packages/core/src/a-b.ts': "import fs from 'node:fs'\n" },
  ],
  [
    'secrets are compared in constant time',
    { 'packages/core/src/a-b.ts': 'export const a = given.secret === known\n' },
  ],
  [
    'secrets are compared in constant time',
    { 'packages/core/src/a-b.ts': 'export const a = given !== this.#kept.proof\n' },
  ],
  [
    'no plugin imports another',
    { 'plugins/store-x/src/options.ts': "export { b } from '@micro/plugin-store-y'\n" },
  ],
  [
    'no plugin imports another',
    { 'plugins/store-x/src/options.ts': "export { b } from '@micro/plugin-store-xy'\n" },
  ],
  [
    'imports of workspace packages go through listed subpaths',
    { 'plugins/store-x/src/options.ts': "import '@micro/core/secret'\n" },
  ],
  [
    'every export stands in src and in dist, and every concept of core is one',
    { 'packages/core/src/new/index.ts': '' },
  ],
  [
    'every export stands in src and in dist, and every concept of core is one',
    { 'packages/core/package.json': core({ publishConfig: {} }) },
  ],
  [
    'plugins depend on core by one caret peer range and workspace:*',
    { 'plugins/store-x/package.json': plugin({ peerDependencies: { '@micro/core': '>=0.1.0' } }) },
  ],
  [
    'plugins are named after their folder and have their files',
    { 'plugins/store-x/src/options.ts': undefined },
  ],
  [
    'plugins are named after their folder and have their files',
    { 'plugins/store-x/package.json': plugin({ name: '@micro/plugin-y' }) },
  ],
  [
    'READMEs of plugins have the headings that users look for',
    { 'plugins/store-x/README.md': '# x\n' },
  ],
  [
    'public packages say what they need',
    { 'plugins/store-x/package.json': plugin({ engines: {} }) },
  ],
  [
    'public packages say what they need',
    { 'plugins/store-x/package.json': plugin({ files: ['src', 'dist'] }) },
  ],
  [
    'sources of private packages are type-checked with the tests',
    {
      'packages/tool/package.json': '{"name":"@micro/tool","private":true}',
      'packages/tool/src/main.ts': '',
    },
  ],
  [
    'versions come from the catalog',
    { 'plugins/store-x/package.json': plugin({ dependencies: { pg: '^8.0.0' } }) },
  ],
  ['the root references every package that is built', { 'tsconfig.json': '{"references":[]}' }],
  [
    'leaf tsconfigs only extend, include and reference',
    {
      'packages/core/tsconfig.json':
        '{"extends":"../../tsconfig.base.json","compilerOptions":{"strict":false}}',
    },
  ],
  [
    'leaf tsconfigs only extend, include and reference',
    { 'packages/core/tsconfig.json': '{"extends":"./loose.json"}' },
  ],
  [
    'source files are at most 300 lines, in kebab case, with named exports only',
    { 'packages/core/src/a-b.ts': '\n'.repeat(301) },
  ],
  [
    'source files are at most 300 lines, in kebab case, with named exports only',
    { 'packages/core/src/camelCase.ts': '' },
  ],
  [
    'source files are at most 300 lines, in kebab case, with named exports only',
    { 'packages/core/src/a-b.ts': "export * from './index.ts'\n" },
  ],
  [
    'sources have no any, and suppress no check of it',
    {
      'packages/core/src/a-b.ts':
        '// biome-ignore lint/suspicious/noExplicitAny: lazy\nexport const a: any = 1\n',
    },
  ],
  ['the top level holds only what tools demand', { 'notes.txt': '' }],
  ['changesets leave hand-written peer ranges alone', { '.changeset/config.json': '{}' }],
])('"%s" fails for what breaks it', (rule, files) => {
  expect(broken(files)).toContain(rule)
})

test('imports are found in every form, and not in comments', () => {
  const text = `
import a from 'a'
import type { B } from "b"
import {
  c,
} from 'c'
import 'd'
export { e } from 'e'
const f = await import('f')
// import g from 'g'
/* import h from 'h' */
const glob = 'packages/*'
import i from 'i'
/* the end */`
  expect(importsOf(text).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'i'])
})

test('code of READMEs is taken from ts fences that are not marked', () => {
  expect(codeOf('```ts\nconst a = 1\n```\n```sh\nls\n```\n```ts ignore\nb\n```\n')).toEqual([
    'const a = 1\n',
  ])
})
