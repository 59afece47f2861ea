import { importsOf } from './imports.ts'
import { linesComparingSecrets } from './secret-comparisons.ts'
import type { Member, Workspace } from './workspace.ts'

/** A rule of the house: what is wrong, each with the file and the fix. */
export interface Rule {
  readonly name: string
  readonly check: (workspace: Workspace) => string[]
}

const core = '@micro/core'
const topLevel = new Set(
  `.changeset .ci .git .gitattributes .github .gitignore CONTRIBUTING.md LICENSE README.md biome.json examples
  knip.json node_modules package.json packages plugins pnpm-lock.yaml pnpm-workspace.yaml tsconfig.base.json
  tsconfig.json vitest.workspace.ts`.split(/\s+/),
)
const pluginFiles = ['package.json', 'tsconfig.json', 'README.md', 'src/index.ts', 'src/options.ts']
const pluginHeadings = 'Install|Usage|Options|Supports|Operating and debugging|Versions'.split('|')

const base = '../../tsconfig.base.json'
const buildInfo = '!dist/.tsbuildinfo'

/** Biome refuses `any` itself; this refuses the ways around. */
const suppression = /noExplicitAny|@ts-(ignore|expect-error|nocheck)/

const isPlugin = (member: Member): boolean => member.path.startsWith('plugins/')
const isOf = (name: string, imported: string): boolean => `${imported}/`.startsWith(`${name}/`)
const isPublic = (member: Member): boolean => member.manifest.private !== true
const each = (
  workspace: Workspace,
  which: (member: Member) => boolean,
  check: (member: Member) => string[],
): string[] => workspace.members.filter(which).flatMap(check)
const eachSource = (
  workspace: Workspace,
  which: (member: Member) => boolean,
  check: (text: string, path: string, member: Member) => string[],
): string[] =>
  each(workspace, which, (member) =>
    member.sources.flatMap((source) =>
      check(workspace.read(`${member.path}/${source}`) ?? '', `${member.path}/${source}`, member),
    ),
  )

export const rules: readonly Rule[] = [
  {
    name: 'core depends on nothing',
    check: (workspace) =>
      each(
        workspace,
        ({ manifest }) => manifest.name === core,
        ({ path, manifest }) =>
          [
            ...Object.keys(manifest.dependencies ?? {}),
            ...Object.keys(manifest.peerDependencies ?? {}),
          ].map((name) => `${path}/package.json: remove ${name}`),
      ),
  },
  {
    name: 'core imports no node: module but node:async_hooks, and no package',
    check: (workspace) =>
      eachSource(
        workspace,
        ({ manifest }) => manifest.name === core,
        (text, path) =>
          importsOf(text)
            .filter((name) => !name.startsWith('.') && name !== 'node:async_hooks')
            .map((name) => `${path}: core may not import ${name}`),
      ),
  },
  {
    name: 'no plugin imports another',
    check: (workspace) =>
      eachSource(workspace, isPlugin, (text, path, { manifest }) =>
        importsOf(text)
          .filter((name) => name.startsWith('@micro/plugin-') && !isOf(manifest.name, name))
          .map((name) => `${path}: move what is shared with ${name} to a package`),
      ),
  },
  {
    name: 'imports of workspace packages go through listed subpaths',
    check: (workspace) => {
      const listed = new Set(
        workspace.members.flatMap(({ manifest }) =>
          Object.keys(manifest.exports ?? {}).map((subpath) => manifest.name + subpath.slice(1)),
        ),
      )
      return eachSource(
        workspace,
        () => true,
        (text, path) =>
          importsOf(text)
            .filter((name) => name.startsWith('@micro/') && !listed.has(name))
            .map((name) => `${path}: ${name} is no listed export`),
      )
    },
  },
  {
    name: 'every export stands in src and in dist, and every concept of core is one',
    check: (workspace) =>
      each(workspace, isPublic, ({ path, manifest, sources }) => {
        const inside = Object.entries(manifest.exports ?? {})
        const outside = manifest.publishConfig?.exports ?? {}
        const missing = inside.flatMap(([subpath, target]) => [
          ...(subpath in outside
            ? []
            : [`${path}/package.json: publishConfig.exports lacks ${subpath}`]),
          ...(workspace.read(`${path}/${target}`) === undefined
            ? [`${path}/package.json: ${subpath} leads nowhere`]
            : []),
        ])
        const targets = new Set(inside.map(([, target]) => target.slice(2)))
        const unlisted = sources
          .filter((source) => source.endsWith('/index.ts') && !targets.has(source))
          .map((source) => `${path}/package.json: list ${source} in exports`)
        return [...missing, ...unlisted]
      }),
  },
  {
    name: 'plugins depend on core by one caret peer range and workspace:*',
    check: (workspace) =>
      each(workspace, isPlugin, ({ path, manifest }) => {
        const peer = manifest.peerDependencies?.[core]
        const wrong = [
          ...(/^\^\d+\.\d+\.\d+$/.test(peer ?? '')
            ? []
            : [`peerDependencies["${core}"] must be one caret range, not ${peer}`]),
          ...(manifest.devDependencies?.[core] === 'workspace:*'
            ? []
            : [`devDependencies["${core}"] must be workspace:*`]),
          ...(manifest.dependencies?.[core] === undefined
            ? []
            : [`${core} must not be among dependencies`]),
        ]
        return wrong.map((what) => `${path}/package.json: ${what}`)
      }),
  },
  {
    name: 'plugins are named after their folder and have their files',
    check: (workspace) =>
      each(workspace, isPlugin, ({ path, manifest }) => [
        ...(manifest.name === `@micro/plugin-${path.slice('plugins/'.length)}`
          ? []
          : [`${path}/package.json: name ${manifest.name} is not the folder's`]),
        ...pluginFiles
          .filter((file) => workspace.read(`${path}/${file}`) === undefined)
          .map((file) => `${path}: add ${file}`),
      ]),
  },
  {
    name: 'READMEs of plugins have the headings that users look for',
    check: (workspace) =>
      each(workspace, isPlugin, ({ path }) => {
        const text = workspace.read(`${path}/README.md`) ?? ''
        return pluginHeadings
          .filter((heading) => !text.includes(`\n## ${heading}\n`))
          .map((heading) => `${path}/README.md: add "## ${heading}"`)
      }),
  },
  {
    name: 'public packages say what they need',
    check: (workspace) =>
      each(workspace, isPublic, ({ path, manifest }) => [
        ...(manifest.engines?.node === '>=22.18'
          ? []
          : [`${path}/package.json: engines.node must be >=22.18`]),
        ...(manifest.sideEffects === false
          ? []
          : [`${path}/package.json: sideEffects must be false`]),
        ...(manifest.files?.includes(buildInfo) ? [] : [`${path}/package.json: add ${buildInfo}`]),
      ]),
  },
  {
    name: 'versions come from the catalog',
    check: (workspace) =>
      each(
        workspace,
        () => true,
        ({ path, manifest }) =>
          Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
            .filter(([, range]) => !/^(catalog:|workspace:[*^])$/.test(range))
            .map(
              ([name, range]) =>
                `${path}/package.json: ${name} is ${range}; use catalog:, workspace:* or workspace:^`,
            ),
      ),
  },
  {
    name: 'the root references every package that is built',
    check: (workspace) => {
      const root = JSON.parse(workspace.read('tsconfig.json') ?? '{}') as {
        references?: { path: string }[]
      }
      const referenced = new Set((root.references ?? []).map(({ path }) => path))
      return each(workspace, isPublic, ({ path }) =>
        referenced.has(path) ? [] : [`tsconfig.json: add a reference to ${path}`],
      )
    },
  },
  {
    name: 'leaf tsconfigs only extend, include and reference',
    check: (workspace) =>
      each(
        workspace,
        () => true,
        ({ path }) => {
          const text = workspace.read(`${path}/tsconfig.json`)
          if (text === undefined) return []
          const config = JSON.parse(text) as { extends?: string }
          return [
            ...(config.extends === base ? [] : [`${path}/tsconfig.json: extend ${base}`]),
            ...Object.keys(config)
              .filter((key) => !['extends', 'include', 'references'].includes(key))
              .map((key) => `${path}/tsconfig.json: remove ${key}`),
          ]
        },
      ),
  },
  {
    name: 'source files are at most 300 lines, in kebab case, with named exports only',
    check: (workspace) =>
      eachSource(
        workspace,
        () => true,
        (text, path) => {
          const lines = text.split('\n').length - 1
          const name = path.slice(path.lastIndexOf('/') + 1)
          return [
            ...(lines > 300 ? [`${path}: ${lines} lines; split it`] : []),
            ...(/^[a-z0-9]+(-[a-z0-9]+)*(_pb|\.d)?\.ts$/.test(name)
              ? []
              : [`${path}: use kebab case`]),
            ...(/^export \*/m.test(text) ? [`${path}: name what is exported instead of *`] : []),
            ...(/^export default/m.test(text) ? [`${path}: name the export`] : []),
          ]
        },
      ),
  },
  {
    name: 'sources of private packages are type-checked with the tests',
    check: (workspace) => {
      const text = workspace.read('packages/workspace/tsconfig.tests.json') ?? '{}'
      const { include = [] } = JSON.parse(text) as { include?: string[] }
      return each(
        workspace,
        (member) => !isPublic(member) && member.sources.length > 0,
        ({ path }) => {
          const [group, name] = path.split('/')
          const glob =
            group === 'packages' ? `../${name}/src/**/*.ts` : `../../${group}/*/src/**/*.ts`
          return include.includes(glob) ? [] : [`tsconfig.tests.json: include ${glob}`]
        },
      )
    },
  },
  {
    name: 'sources have no any, and suppress no check of it',
    check: (workspace) =>
      eachSource(
        workspace,
        ({ path }) => !path.startsWith('examples/'),
        (text, path) =>
          suppression.test(text) && !path.endsWith('workspace/src/rules.ts')
            ? [`${path}: say the type instead`]
            : [],
      ),
  },
  {
    name: 'secrets are compared in constant time',
    check: (workspace) =>
      eachSource(workspace, isPublic, (text, path) =>
        linesComparingSecrets(text).map((line) => `${path}:${line}: use timingSafeEqual`),
      ),
  },
  {
    name: 'the top level holds only what tools demand',
    check: (workspace) =>
      workspace.topLevel
        .filter((name) => !topLevel.has(name))
        .map((name) => `${name}: move it into a package`),
  },
  {
    name: 'changesets leave hand-written peer ranges alone',
    check: (workspace) => {
      const config = JSON.parse(workspace.read('.changeset/config.json') ?? '{}') as Record<
        string,
        Record<string, unknown>
      >
      const flags = config['___experimentalUnsafeOptions_WILL_CHANGE_IN_PATCH'] ?? {}
      return flags['onlyUpdatePeerDependentsWhenOutOfRange'] === true
        ? []
        : ['.changeset/config.json: set onlyUpdatePeerDependentsWhenOutOfRange']
    },
  },
]
