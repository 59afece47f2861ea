import { accountOf } from '../auth/account.ts'
import type { Account } from '../auth/auth.ts'
import type { MessageMiddleware } from '../broker/messaging.ts'
import type { AbortOptions } from '../component/component.ts'
import { requireContract } from '../component/contract.ts'
import type { Awaitable } from '../component/promises.ts'
import type { Logger } from '../logger/logger.ts'
import type { Access } from './access.ts'
import { checkAccess } from './authorize.ts'

export interface AuthorizeMessagesOptions {
  /** The rules. @default none */
  readonly access?: Access | undefined
  /** Deny what no rule allows, also while there is none. @default false */
  readonly defaultDeny?: boolean | undefined
  /** Who publishes: this service. @default nobody */
  readonly self?: (options: AbortOptions) => Awaitable<Account | undefined>
  /** Told of every decision: denials at `warn`, all else at `debug`. @default none */
  readonly audit?: Logger
}

/**
 * Asks the rules about `{ type: 'topic', name: <topic>, endpoint: 'publish' }` for this service, and
 * `'consume'` for the account that came with the message.
 */
export function authorizeMessages(options: AuthorizeMessagesOptions): MessageMiddleware {
  const { access, self, audit, defaultDeny } = options
  if (access !== undefined) requireContract(access, 'access/0')
  return async (call, next) => {
    const { side, topic, context } = call
    // A service publishes before it starts, too.
    await access?.connect(context)
    const account = side === 'publish' ? await self?.(context) : accountOf(context)
    checkAccess({
      access,
      audit,
      defaultDeny,
      account,
      resource: { type: 'topic', name: topic, endpoint: side },
    })
    return next()
  }
}
