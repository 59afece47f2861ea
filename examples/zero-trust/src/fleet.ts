import { createService, type Service } from '@micro/core'
import { consoleLogger } from '@micro/core/logger'
import type { Registry } from '@micro/core/registry'
import { AuthorityService, type X509Identity, x509Identity } from '@micro/plugin-identity-x509'
import { fileRegistry } from '@micro/plugin-registry-file'
import { httpTransport } from '@micro/plugin-transport-http'

export const trustDomain = 'shop.example'

/** What all processes of the fleet are told when they start. */
export interface Place {
  /** Where nodes are registered. */
  readonly directory: string
  /** Bootstrap token of this process, if the operator gave it one. */
  readonly token?: string
  /** JSON Web Keys: the one that signs for `users` alone, the public one for the others. */
  readonly keys: readonly Record<string, unknown>[]
}

export function registryOf({ directory }: Place): Registry {
  return fileRegistry({ directory })
}

/** Quiet, but for what somebody must see. */
export const logger = consoleLogger({ level: 'error' })

/**
 * A certificate for this process. The authority is reached without TLS: what goes there and comes back
 * proves itself by the bootstrap token, and later by the current certificate.
 */
export async function enrol(
  service: string,
  place: Place,
): Promise<{ readonly identity: X509Identity; readonly client: Service }> {
  const client = createService({
    name: `${service}-enrolment`,
    logger,
    registry: registryOf(place),
    transports: [httpTransport()],
    shutdown: { signals: false },
  })
  const identity = x509Identity({
    service,
    trustDomain,
    authority: client.client(AuthorityService),
    token: place.token ?? '',
    interval: 200,
  })
  return { identity, client }
}
