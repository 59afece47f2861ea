import type { EtcdCallOptions } from './client.ts'

/** Asks one host for a token. */
export type Authenticate = (options: EtcdCallOptions) => Promise<string>

/**
 * The token of one user. etcd computes for a twentieth of a second to check a password, so that it is asked
 * once, however many requests find at the same moment that their token is void.
 */
export interface Login {
  /** The token that is known, or the one that `authenticate` gets, also for those who ask meanwhile. */
  token(authenticate: Authenticate, options: EtcdCallOptions): Promise<string>
  /** etcd does not take it any more. */
  refused(token: string): void
}

export function createLogin(): Login {
  let known: string | undefined
  let asking: Promise<string> | undefined

  const ask = async (authenticate: Authenticate, options: EtcdCallOptions): Promise<string> => {
    try {
      known = await authenticate(options)
      return known
    } finally {
      asking = undefined
    }
  }
  return {
    async token(authenticate, options) {
      if (known !== undefined) return known
      asking ??= ask(authenticate, options)
      return await asking
    },
    refused(token) {
      // Another request may have been first, and have another one by now.
      if (known === token) known = undefined
    },
  }
}
