import type { Verified } from '../auth/auth.ts'
import type { AbortOptions, Component } from '../component/component.ts'
import type { Peer } from '../transport/transport.ts'
import type { TlsSource } from './tls.ts'

/** Where backends truly differ. */
export interface IdentitySupports {
  /** `token` is there. */
  readonly token: boolean
  /** `tls` is there. */
  readonly tls: boolean
  /** `accountOf` is there. */
  readonly peers: boolean
}

/**
 * What this service shows others to prove who it is, renewed in time. How memory and real backends
 * implement each member is written in the README beside this file.
 */
export interface Identity extends Component {
  readonly contract: 'identity/0'
  readonly supports: IdentitySupports
  /** An access token that is valid now. @throws `unavailable` where none can be had. */
  token?(options?: AbortOptions): Promise<string>
  /** There once connected. */
  readonly tls?: TlsSource
  /**
   * Who a peer is by the certificate it has shown, or `undefined` if that says nothing to us. Peers in
   * process are this service itself. From memory, without I/O.
   *
   * @throws `unauthenticated` for one that has lapsed or been revoked.
   */
  accountOf?(peer: Peer): Verified | undefined
}
