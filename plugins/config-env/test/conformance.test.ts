import { configConformance } from '@micro/conformance/config'
import type { ConfigValues } from '@micro/core/config'
import { envSource } from '@micro/plugin-config-env'

/** Of the process itself, each scope by its own prefix. */
function write(scope: string, values: ConfigValues): void {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith(`${scope}_`)) delete process.env[name]
  }
  const put = (tree: ConfigValues, above: string): void => {
    for (const [key, value] of Object.entries(tree)) {
      const name = `${above}${key.toUpperCase()}`
      if (typeof value === 'object') put(value as ConfigValues, `${name}__`)
      else process.env[name] = String(value)
    }
  }
  put(values, `${scope}_`)
}

configConformance({
  name: 'env',
  stringsOnly: true,
  create: (scope) => envSource({ prefix: `${scope}_` }),
  write,
})
