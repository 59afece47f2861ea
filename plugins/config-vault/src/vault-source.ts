import { createLifecycle, jitter, sleep } from '@micro/core/component'
import { type ConfigSource, type ConfigTree, placeValue } from '@micro/core/config'
import { MicroError } from '@micro/core/errors'
import { createRenewal, type Lease } from '@micro/core/identity'
import { settle, type VaultSourceOptions } from './options.ts'
import { createVaultApi, type Secret, type VaultToken } from './vault-api.ts'

/** What a secret of Vault says. */
export function vaultSource(options: VaultSourceOptions): ConfigSource {
  const settings = settle(options)
  const { address, mount, path, at } = settings
  const api = createVaultApi(settings)
  const place = `${mount}/${path}`
  const closing = new AbortController()
  let failure: MicroError | undefined
  let held: VaultToken | undefined

  /** The token renewed as long as Vault lets it live on; then, and at first, by logging in. */
  const issue = async ({ signal }: { signal: AbortSignal }): Promise<Lease<VaultToken>> => {
    const before = Date.now()
    if (held?.renewable === true) {
      const renewed = await api.renew(held.token, signal).catch(() => undefined)
      // Near its longest life Vault gives less and less.
      if (renewed !== undefined && renewed.life > held.life / 2) return leaseOf(renewed, before)
    }
    held = await api.login(signal)
    return leaseOf(held, before)
  }
  let renewal = createRenewal({ subject: `token of Vault at ${address}`, issue })
  const lifecycle = createLifecycle({
    label: `config source "vault" (${place})`,
    close() {
      closing.abort(new MicroError('failed_precondition', 'config source is closed'))
      renewal.stop()
    },
  })

  const readOnce = async (signal: AbortSignal): Promise<Secret> => {
    const { token } = await renewal.get({ signal })
    return api.read(token, signal)
  }
  const read = async (outer: AbortSignal | undefined): Promise<Secret> => {
    const signal = outer === undefined ? closing.signal : AbortSignal.any([outer, closing.signal])
    try {
      const secret = await readOnce(signal).catch((error: unknown) => {
        if (!MicroError.is(error, 'permission_denied') || held === undefined) throw error
        // The token may have been revoked: once more with a new one.
        renewal.stop()
        held = undefined
        renewal = createRenewal({ subject: `token of Vault at ${address}`, issue })
        return readOnce(signal)
      })
      failure = undefined
      return secret
    } catch (error) {
      if (signal.aborted) throw signal.reason
      failure = asError(error)
      throw failure
    }
  }
  const toTree = ({ data, version }: Secret): ConfigTree => {
    const values: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(data)) placeValue(values, [...at, key], value, place)
    return { values, origins: { '': `${place}, version ${version}` } }
  }

  return {
    name: 'vault',
    contract: 'config/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health() {
      if (lifecycle.closed) return { status: 'down' }
      if (failure !== undefined) return { status: 'degraded', detail: failure.detail }
      const { status, detail } = renewal.health()
      return status === 'up' ? { status } : { status: 'degraded', detail: detail ?? status }
    },
    async load(loadOptions) {
      await lifecycle.connect(loadOptions)
      return toTree(await read(loadOptions?.signal))
    },
    /** A Vault that cannot be reached ends it; core begins again, with back-off. */
    async *watch(watchOptions): AsyncGenerator<ConfigTree> {
      await lifecycle.connect(watchOptions)
      const outer = watchOptions?.signal
      const signal = outer === undefined ? closing.signal : AbortSignal.any([outer, closing.signal])
      let told = ''
      try {
        for (;;) {
          const secret = await read(outer)
          const text = JSON.stringify(secret)
          if (text !== told) {
            told = text
            yield toTree(secret)
          }
          await sleep(jitter(settings.interval), { signal })
        }
      } catch (error) {
        // Closed, or nobody listens any more.
        if (!signal.aborted) throw error
      }
    },
  }
}

function leaseOf(value: VaultToken, since: number): Lease<VaultToken> {
  return { value, expiresAt: value.life === 0 ? undefined : since + value.life }
}

/** The renewal's own words are about tokens; what Vault said is behind them. */
function asError(error: unknown): MicroError {
  if (!MicroError.is(error)) {
    return new MicroError('unavailable', String(error), { cause: error })
  }
  return MicroError.is(error.cause) ? error.cause : error
}
