import type { AbortOptions, Component } from '../component/component.ts'

/** Who is calling, as a credential proved it. */
export interface Account {
  /** Unique at its issuer: `ada`, `orders`. */
  readonly id: string
  /** `user`, `service`, or a kind of your own. */
  readonly type: string
  /** Who vouches for it. */
  readonly issuer: string
  /** What it may be granted by: rules name scopes. */
  readonly scopes: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
}

/** An account to issue tokens for; the issuer is the auth itself. */
export type Subject = Omit<Account, 'issuer'>

/** What a valid token proves. */
export interface Verified {
  readonly account: Account
  /** Milliseconds since 1970 at which it proves that no longer; `undefined` if it does not lapse. */
  readonly expiresAt: number | undefined
}

export interface IssueOptions extends AbortOptions {
  /** Milliseconds that the access token lives. @default the auth's own */
  readonly ttl?: number | undefined
  /** Milliseconds that a refresh token lives; `false` for none. @default the auth's own */
  readonly refreshTtl?: number | false | undefined
}

/** Times in milliseconds since 1970. */
export interface Tokens {
  readonly accessToken: string
  readonly expiresAt: number
  /** Good for one `refresh`. */
  readonly refreshToken?: string | undefined
  readonly refreshExpiresAt?: number | undefined
}

/** Where backends truly differ. */
export interface AuthSupports {
  /** `issue` is there. */
  readonly issue: boolean
  /** `refresh` is there, and `issue` gives refresh tokens. */
  readonly refresh: boolean
  /** `revoke` is there. */
  readonly revoke: boolean
}

/**
 * Verifies credentials, and issues them where the backend can. How memory and real backends implement
 * each member is written in the README beside this file.
 *
 * Every method may also fail with `unavailable`; `invalid_argument` names the field that is wrong.
 */
export interface Auth extends Component {
  readonly contract: 'auth/0'
  readonly supports: AuthSupports
  /**
   * The account behind an access token.
   *
   * @throws `unauthenticated` for any other, always in the same words: malformed, unknown, expired,
   * revoked, over 16 KiB, or a refresh token.
   */
  verify(token: string, options?: AbortOptions): Promise<Verified>
  issue?(subject: Subject, options?: IssueOptions): Promise<Tokens>
  /**
   * New tokens for a refresh token, which is used up by it. One that is used a second time has been
   * stolen: all that came of the same `issue` is refused from then on (RFC 9700, section 4.14.2).
   *
   * @throws `unauthenticated`
   */
  refresh?(refreshToken: string, options?: AbortOptions): Promise<Tokens>
  /**
   * Ends a token; with a refresh token all that came of the same `issue`. At once here, within a second
   * at other instances. One that is not valid is no error (RFC 7009, section 2.2).
   */
  revoke?(token: string, options?: AbortOptions): Promise<void>
}
