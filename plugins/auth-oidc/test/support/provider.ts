import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import Library from 'oidc-provider'
import { createAdapter } from './adapter.ts'

/** A private key of a provider. */
export type ProviderKey = JWK & { readonly kid: string; readonly alg: string }

export async function newKey(
  alg = 'ES256',
  kid: string = crypto.randomUUID(),
): Promise<ProviderKey> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  return { ...(await exportJWK(privateKey)), kid, alg, use: 'sig' }
}

export interface TokenRequest {
  /** The audience. */
  readonly resource: string
  /** A person; without one, the client speaks for itself. */
  readonly account?: string
  readonly scope?: string
  /** Seconds. */
  readonly ttl?: number
  readonly format?: 'jwt' | 'opaque'
  readonly alg?: string
  /** More claims. */
  readonly extra?: Readonly<Record<string, unknown>>
}

export interface TestProvider {
  readonly issuer: string
  /** Paths that it was asked for. */
  readonly requests: string[]
  /** From its token endpoint. */
  token(request: TokenRequest): Promise<string>
  /** Another kind of token that it keeps: active for introspection, and no access token. */
  refreshToken(account: string): Promise<string>
  revoke(token: string): Promise<void>
  stop(): Promise<void>
}

export interface TestProviderOptions {
  readonly keys: readonly ProviderKey[]
  /** @default a free one */
  readonly port?: number
}

export const client = { id: 'orders service', secret: 'se:cret%+& ~' } as const
/** Another, which sends its secret in the body. */
export const postingClient = { id: 'poster', secret: 'hush%&' } as const
const actAs = 'urn:example:grant:act-as'
const scopes = 'orders:read admin a b'

/** A real provider on a free port of the loopback interface, with a client and a grant for tests. */
export async function startProvider({
  keys,
  port = 0,
}: TestProviderOptions): Promise<TestProvider> {
  const requests: string[] = []
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => undefined
  const server = createServer((request, response) => {
    requests.push(request.url ?? '')
    handle(request, response)
  })
  await once(server.listen(port, '127.0.0.1'), 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const library = createLibrary(issuer, keys)
  handle = library.callback()

  const post = async (path: string, body: Readonly<Record<string, string>>): Promise<Response> => {
    const [id, secret] = [client.id, client.secret].map((one) => encodeURIComponent(one))
    const basic = Buffer.from(`${id}:${secret}`).toString('base64')
    const headers = { authorization: `Basic ${basic}`, connection: 'close' }
    const response = await fetch(issuer + path, {
      method: 'POST',
      headers,
      body: new URLSearchParams(body),
    })
    if (response.status !== 200) throw new Error(`${path}: ${await response.text()}`)
    return response
  }
  return {
    issuer,
    requests,
    async token({ account, resource, scope = scopes, ...rest }) {
      const response = await post('/token', {
        grant_type: account === undefined ? 'client_credentials' : actAs,
        ...(account === undefined ? {} : { account }),
        resource,
        scope,
        wanted: JSON.stringify(rest),
      })
      return ((await response.json()) as { access_token: string }).access_token
    },
    async refreshToken(accountId) {
      const known = await library.Client.find(client.id)
      return new library.RefreshToken({ accountId, client: known, scope: scopes }).save()
    },
    async revoke(token) {
      await post('/token/revocation', { token })
    },
    stop: () => stopServer(server),
  }
}

export async function stopServer(server: Server): Promise<void> {
  const closed = once(server.close(), 'close')
  server.closeAllConnections()
  await closed
}

/** What of the library is used here; it comes without types. */
interface Provider {
  readonly Client: { find(id: string): Promise<unknown> }
  readonly AccessToken: Model
  readonly RefreshToken: Model
  readonly ResourceServer: new (identifier: string, info: object) => unknown
  callback(): (request: IncomingMessage, response: ServerResponse) => void
  registerGrantType(
    name: string,
    handler: (context: Context) => Promise<void>,
    parameters: readonly string[],
  ): void
}

type Model = new (values: object) => { save(): Promise<string> }

interface Context {
  body: unknown
  readonly oidc: {
    readonly client: unknown
    readonly params: { account: string; resource: string; scope: string }
    /** All that was posted, known parameters or not. */
    readonly body: { readonly wanted?: string }
  }
}

function createLibrary(issuer: string, keys: readonly ProviderKey[]): Provider {
  const wantedOf = (context: Context) =>
    JSON.parse(context.oidc.body.wanted ?? '{}') as Partial<TokenRequest>
  const settings = {
    adapter: createAdapter(),
    jwks: { keys },
    cookies: { keys: ['for tests'] },
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        grant_types: ['client_credentials', actAs],
        redirect_uris: [],
        response_types: [],
      },
      {
        client_id: postingClient.id,
        client_secret: postingClient.secret,
        token_endpoint_auth_method: 'client_secret_post',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    enabledJWA: {
      idTokenSigningAlgValues: ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
      clientAuthSigningAlgValues: ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
    },
    clientDefaults: { id_token_signed_response_alg: keys[0]?.alg },
    scopes: scopes.split(' '),
    extraTokenClaims: (context: Context | undefined) => context && wantedOf(context).extra,
    ttl: {
      ClientCredentials: (context: Context) => wantedOf(context).ttl ?? 60,
      RefreshToken: 60,
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (context: Context, resource: string) =>
          resourceServer(resource, wantedOf(context)),
      },
    },
  }
  const library = new (Library as new (issuer: string, settings: object) => Provider)(
    issuer,
    settings,
  )
  library.registerGrantType(
    actAs,
    async (context) => {
      const { params, client: known } = context.oidc
      const wanted = wantedOf(context)
      const info = resourceServer(params.resource, wanted)
      const token = new library.AccessToken({
        accountId: params.account,
        client: known,
        scope: params.scope,
        expiresIn: wanted.ttl ?? 60,
        gty: actAs,
        resourceServer: new library.ResourceServer(params.resource, info),
      })
      context.body = { access_token: await token.save(), token_type: 'Bearer' }
    },
    ['account', 'resource', 'scope'],
  )
  return library
}

function resourceServer(audience: string, { format = 'jwt', alg }: Partial<TokenRequest>) {
  const jwt = alg === undefined ? {} : { jwt: { sign: { alg } } }
  return { scope: scopes, audience, accessTokenFormat: format, ...jwt }
}
