import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configConformance } from '@micro/conformance/config'
import type { ConfigValues } from '@micro/core/config'
import { fileSource } from '@micro/plugin-config-file'
import { stringify as toToml } from 'smol-toml'
import { afterAll } from 'vitest'
import { stringify as toYaml } from 'yaml'

const root = await mkdtemp(join(tmpdir(), 'config-file-'))
afterAll(() => rm(root, { recursive: true, force: true }))

const kinds: Readonly<Record<string, (values: ConfigValues) => string>> = {
  json: (values) => JSON.stringify(values),
  yaml: (values) => toYaml(values),
  toml: (values) => toToml(values),
}
for (const [kind, stringify] of Object.entries(kinds)) {
  const pathOf = (scope: string) => join(root, `${scope}.${kind}`)
  configConformance({
    name: `file, ${kind}`,
    create: (scope) => fileSource({ path: pathOf(scope), optional: true }),
    async write(scope, values) {
      // By rename, as careful programs do.
      await writeFile(`${pathOf(scope)}.tmp`, stringify(values))
      await rename(`${pathOf(scope)}.tmp`, pathOf(scope))
    },
  })
}
