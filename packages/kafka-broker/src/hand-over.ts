import { within } from './within.ts'

export interface HandOverOptions {
  readonly settings: {
    readonly sessionTimeout: number
    readonly rebalanceTimeout: number
    readonly heartbeatInterval: number
  }
  /** Resolves once no handler runs. */
  readonly idle: () => Promise<void>
  /** Sends a heartbeat, as who this member was before the change. True if Kafka still counts on it. */
  readonly beat: () => Promise<boolean>
}

/**
 * Waits for the running handlers before this member joins the group anew, so that what they handle is
 * not handled by another as well. Heartbeats go on meanwhile, or Kafka would not wait.
 */
export async function handOver({ settings, idle, beat }: HandOverOptions): Promise<void> {
  const { sessionTimeout, rebalanceTimeout, heartbeatInterval } = settings
  const started = Date.now()
  const done = idle().then(() => true)
  let limit = sessionTimeout * 0.7
  while (Date.now() - started < limit) {
    const isIdle = await within(heartbeatInterval, done).catch(() => false)
    if (isIdle) return
    if (await beat()) limit = rebalanceTimeout * 0.8
    else limit = Math.min(limit, sessionTimeout * 0.7)
  }
}
