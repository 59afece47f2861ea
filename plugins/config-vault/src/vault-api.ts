import { MicroError } from '@micro/core/errors'
import { fromFetch, fromStatus } from './errors.ts'
import type { Settings } from './options.ts'

/** A token, and how long it lasts. */
export interface VaultToken {
  readonly token: string
  /** Milliseconds; 0 for one that does not lapse. */
  readonly life: number
  readonly renewable: boolean
}

export interface Secret {
  readonly data: Readonly<Record<string, unknown>>
  readonly version: number
}

type Json = Readonly<Record<string, unknown>>

/** The few requests of Vault's HTTP API that are needed here. */
export interface VaultApi {
  /** @throws `permission_denied`, `unavailable` */
  login(signal: AbortSignal): Promise<VaultToken>
  /** The life that is left, longer than before if Vault allows. */
  renew(token: string, signal: AbortSignal): Promise<VaultToken>
  read(token: string, signal: AbortSignal): Promise<Secret>
}

/** A secret is small; what is larger than this is none. */
const maxBytes = 2 ** 20

export function createVaultApi(settings: Settings): VaultApi {
  const { address, auth, namespace, timeout } = settings

  const request = async (
    method: 'GET' | 'POST',
    path: string,
    token: string | undefined,
    body: Json | undefined,
    signal: AbortSignal,
  ): Promise<Json> => {
    const late = AbortSignal.timeout(timeout)
    try {
      const response = await fetch(`${address}/v1/${path}`, {
        method,
        headers: {
          'x-vault-request': 'true',
          ...(token === undefined ? {} : { 'x-vault-token': token }),
          ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.any([signal, late]),
        // The token is for this server only.
        redirect: 'manual',
      })
      if (response.status !== 200) {
        await response.body?.cancel()
        throw fromStatus(response.status, `${address}/v1/${path}`)
      }
      return await readJson(response, `${address}/v1/${path}`)
    } catch (error) {
      signal.throwIfAborted()
      if (late.aborted) {
        throw new MicroError('unavailable', `${address}: no answer within ${timeout} ms (timeout)`)
      }
      throw fromFetch(error, address)
    }
  }

  return {
    async login(signal) {
      if ('token' in auth) {
        const { data } = await request(
          'GET',
          'auth/token/lookup-self',
          auth.token,
          undefined,
          signal,
        )
        const { ttl, renewable } = treeOf(data)
        return { token: auth.token, life: secondsOf(ttl), renewable: renewable === true }
      }
      const { roleId, secretId, mount = 'approle' } = auth
      const credentials = { role_id: roleId, secret_id: secretId }
      return tokenOf(await request('POST', `auth/${mount}/login`, undefined, credentials, signal))
    },
    async renew(token, signal) {
      const renewed = tokenOf(await request('POST', 'auth/token/renew-self', token, {}, signal))
      return { ...renewed, token }
    },
    async read(token, signal) {
      const path = `${settings.mount}/data/${settings.path}`
      const { data: outer } = await request('GET', path, token, undefined, signal)
      const { data, metadata } = treeOf(outer)
      const { version } = treeOf(metadata)
      if (typeof data !== 'object' || data === null || typeof version !== 'number') {
        throw new MicroError(
          'invalid_argument',
          `${address}/v1/${path}: it is no secret of a KV version 2 engine`,
        )
      }
      return { data: data as Json, version }
    },
  }
}

function tokenOf({ auth }: Json): VaultToken {
  const { client_token: token, lease_duration: life, renewable } = treeOf(auth)
  if (typeof token !== 'string') throw new MicroError('unavailable', 'Vault gave no token')
  return { token, life: secondsOf(life), renewable: renewable === true }
}

function treeOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {}
}

function secondsOf(value: unknown): number {
  return typeof value === 'number' && value > 0 ? value * 1_000 : 0
}

async function readJson(response: Response, place: string): Promise<Json> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxBytes) {
      throw new MicroError('resource_exhausted', `${place}: more than ${maxBytes} bytes`)
    }
    chunks.push(chunk)
  }
  try {
    return treeOf(JSON.parse(Buffer.concat(chunks).toString()))
  } catch {
    // The parser would quote the text.
    throw new MicroError('unavailable', `${place}: the answer is no JSON`)
  }
}
