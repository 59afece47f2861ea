import type { Verified } from '@micro/core/auth'
import type { Identity } from '@micro/core/identity'
import type { PeerCertificate } from '@micro/core/transport'
import type { SuiteOptions } from '../kit/harness.ts'

export interface IdentitySuiteOptions extends SuiteOptions<Identity> {
  /** Milliseconds that the tokens and the TLS material of `create` live, so that renewal is seen. */
  readonly life: number
  /** What others make of a token of the scope. Rejects if it is not valid. */
  readonly verify?: (token: string, scope: string) => Promise<Verified>
  /** What a peer of the scope shows, and who it is; for identities that know their peers. */
  readonly peerOf?: (
    scope: string,
  ) => Promise<{ readonly certificate: PeerCertificate; readonly id: string }>
  /** An instance that can get neither token nor material, as one whose authority is away. */
  readonly createCutOff?: (scope: string) => Identity | Promise<Identity>
}
