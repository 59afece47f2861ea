/** A shop whose settings come from a file, the environment and flags, and change while it is open. */
import { join } from 'node:path'
import { createService, defineService, unary } from '@micro/core'
import { createConfig } from '@micro/core/config'
import { envSource } from '@micro/plugin-config-env'
import { fileSource } from '@micro/plugin-config-file'
import { flagSource } from '@micro/plugin-config-flag'
import { httpTransport } from '@micro/plugin-transport-http'
import { settings } from './settings.ts'

const Shop = defineService('shop', { enter: unary<{ name: string }, { text: string }>() })

const config = createConfig({
  schema: settings,
  sources: [
    fileSource({ path: process.env['SHOP_CONFIG'] ?? join(import.meta.dirname, '../config') }),
    envSource({ prefix: 'SHOP_', schema: settings, env: withoutOwn(process.env) }),
    flagSource({ schema: settings, program: 'shop', description: 'Sells tea.' }),
  ],
  secrets: ['vault.key'],
})
await config.connect()
const { server } = config.value

const shop = createService({
  name: 'shop',
  transports: [httpTransport(server)],
  components: { config },
})
shop.handle(Shop, { enter: ({ name }) => ({ text: `${config.value.greeting}, ${name}` }) })
config.bind('running', (running) => shop.tune(running))
config.onRejected((error) => shop.logger.log('error', 'config refused', { error: error.detail }))
config.onChange('running', () => shop.logger.log('info', 'config changed', config.redacted()))
shop.logger.log('info', 'config', config.redacted())
await shop.run()

/** The file's place is read before there is a config, so it is no part of it. */
function withoutOwn({ SHOP_CONFIG: _, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return env
}
