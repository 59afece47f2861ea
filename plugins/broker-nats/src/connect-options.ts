import {
  type Authenticator,
  credsAuthenticator,
  type NodeConnectionOptions,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node'
import type { Settings } from './options.ts'

/** Once connected, for ever again; and silence is found out. */
export function connectOptions(settings: Settings): NodeConnectionOptions {
  const authenticator = authenticatorOf(settings)
  const { serverName, ...material } = settings.tls ?? {}
  // The client passes on what is Node's besides what it names itself.
  const tls = { ...material, ...(serverName === undefined ? {} : { servername: serverName }) }
  const isTls = settings.tls !== undefined || settings.servers.some((one) => one.startsWith('tls:'))
  return {
    servers: [...settings.servers],
    name: 'micro-broker',
    timeout: settings.timeout,
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => 50 + Math.random() * 450,
    // Otherwise a server that refuses twice, as while its accounts are loaded, ends it for ever.
    ignoreAuthErrorAbort: true,
    pingInterval: Math.max(100, settings.timeout / 2),
    maxPingOut: 2,
    noAsyncTraces: true,
    ...(authenticator === undefined ? {} : { authenticator }),
    ...(isTls ? { tls } : {}),
  }
}

function authenticatorOf(settings: Settings): Authenticator | undefined {
  const { user, password, token, nkey, credentials } = settings
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
  if (user !== undefined) return usernamePasswordAuthenticator(user, password)
  if (token !== undefined) return tokenAuthenticator(token)
  if (nkey !== undefined) return nkeyAuthenticator(encode(nkey))
  if (credentials !== undefined) return credsAuthenticator(encode(credentials))
  return undefined
}
