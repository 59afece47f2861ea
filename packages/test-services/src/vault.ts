import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningServer, startServer } from './server-process.ts'

export const vaultSource: string = join(import.meta.dirname, '../vault')

/** Where the built Vault is kept, for all clones of this machine: by what it is built of. */
export function vaultTarget(): string {
  const hash = createHash('sha256')
  for (const file of ['main.go', 'go.sum']) hash.update(readFileSync(join(vaultSource, file)))
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return join(cache, 'micro-test-services', `vault-${hash.digest('hex').slice(0, 16)}`)
}

/**
 * The Vault to test with, or `undefined` where none is built.
 *
 * @throws in CI, where one must be.
 */
export function vaultBinary(): string | undefined {
  const path = vaultTarget()
  if (existsSync(path)) return path
  if (process.env['MICRO_REQUIRE_SERVERS'] !== '1') return undefined
  throw new Error('Vault is not built: pnpm --filter @micro/test-services build:vault')
}

/** A real Vault with KV version 2 at `secret/` and AppRole at `approle/`. */
export interface Vault {
  readonly address: string
  readonly rootToken: string
  /** A request as root. Resolves with the parsed body. @throws for any status but 200 and 204. */
  request(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>
  put(path: string, data: unknown): Promise<void>
  seal(): Promise<void>
  unseal(): Promise<void>
  kill(): Promise<void>
  /** On the same address, with the same state. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export async function startVault(binary: string): Promise<Vault> {
  const folder = await mkdtemp(join(tmpdir(), 'micro-vault-'))
  const start = (at: string): Promise<RunningServer> =>
    startServer({
      command: binary,
      args: [at, folder],
      ready: (line) => (line.startsWith('{"address"') ? line : undefined),
    })
  let server = await start('127.0.0.1:0')
  const { address, token, unseal } = JSON.parse(server.ready) as Record<string, string>
  if (address === undefined || token === undefined) throw new Error('Vault told no address')

  const vault: Vault = {
    address,
    rootToken: token,
    async request(method, path, body) {
      const response = await fetch(`${address}/v1/${path}`, {
        method,
        headers: { 'x-vault-token': token },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
      return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
    },
    async put(path, data) {
      await vault.request('POST', `secret/data/${path}`, { data })
    },
    async seal() {
      await vault.request('POST', 'sys/seal')
    },
    async unseal() {
      await vault.request('POST', 'sys/unseal', { key: unseal })
    },
    kill: () => server.stop('SIGKILL'),
    async restart() {
      server = await start(new URL(address).host)
    },
    async stop() {
      await server.stop('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
  await vault.request('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } })
  await vault.request('POST', 'sys/auth/approle', { type: 'approle' })
  await upgraded(vault)
  return vault
}

/** A new KV engine refuses requests for a moment, while it makes itself version 2. */
async function upgraded(vault: Vault): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await vault.put('ready', {})
      return
    } catch (error) {
      if (attempt >= 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
