import { isOfType } from './errors.ts'
import type { Settings } from './options.ts'
import { within } from './within.ts'

interface Coordinator {
  heartbeat(request: {
    readonly groupId: string
    readonly groupGenerationId: number
    readonly memberId: string
  }): Promise<unknown>
}

export interface HandOverOptions {
  readonly settings: Settings
  readonly groupId: string
  /** Resolves once no handler runs. */
  readonly idle: () => Promise<void>
  /** Who this member was before the change, where that is known. */
  readonly session: () =>
    | { readonly memberId: string; readonly groupGenerationId: number }
    | undefined
  readonly coordinator: () => Promise<unknown>
  readonly onSignOfLife: () => void
}

/**
 * Waits for the running handlers before this member joins the group anew, so that what they handle is
 * not handled by another as well. Heartbeats go on meanwhile, or Kafka would not wait.
 */
export async function handOver(options: HandOverOptions): Promise<void> {
  const { sessionTimeout, rebalanceTimeout, heartbeatInterval } = options.settings
  const started = Date.now()
  const idle = options.idle().then(() => true)
  let limit = sessionTimeout * 0.7
  while (Date.now() - started < limit) {
    const isIdle = await within(heartbeatInterval, idle).catch(() => false)
    if (isIdle) return
    if (await beat(options)) limit = rebalanceTimeout * 0.8
    else limit = Math.min(limit, sessionTimeout * 0.7)
  }
}

/** True if Kafka still counts on this member. */
async function beat({
  settings,
  groupId,
  session,
  coordinator,
  onSignOfLife,
}: HandOverOptions): Promise<boolean> {
  const known = session()
  if (known === undefined) return false
  const { memberId, groupGenerationId } = known
  try {
    const found = (await within(settings.requestTimeout, coordinator())) as Partial<Coordinator>
    if (found.heartbeat === undefined) return false
    await found.heartbeat({ groupId, groupGenerationId, memberId })
  } catch (error) {
    // So it answers, as long as it waits for this member.
    if (!isOfType(error, 'REBALANCE_IN_PROGRESS')) return false
  }
  onSignOfLife()
  return true
}
