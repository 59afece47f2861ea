import { checkTimeout } from '../client/attempts.ts'
import type { Client } from '../client/client.ts'
import { requireContract } from '../component/contract.ts'
import { MicroError } from '../errors/micro-error.ts'
import { type Logger, logLevels } from '../logger/logger.ts'
import { limitOf } from '../server/default-server.ts'
import type { Server } from '../server/server.ts'
import type { ServiceTuning } from './service.ts'

interface Parts {
  readonly client: Client
  readonly server: Server
  readonly logger: Logger
}

/** All of it, or nothing: everything is checked before anything changes. */
export function tuneParts({ client, server, logger }: Parts, tuning: ServiceTuning): void {
  const { logLevel, limits, timeout, policy } = tuning
  if (logLevel !== undefined && !logLevels.includes(logLevel)) {
    throw new MicroError(
      'invalid_argument',
      `logLevel: ${JSON.stringify(logLevel)}; give one of ${logLevels.join(', ')}`,
    )
  }
  if (timeout !== undefined) checkTimeout(timeout)
  if (policy !== undefined) requireContract(policy, 'policy/0')
  limitOf(limits, 1)
  if (logLevel !== undefined) logger.level = logLevel
  if (limits !== undefined) server.tune(limits)
  client.tune({ timeout, policy })
}
