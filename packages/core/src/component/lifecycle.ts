import { runInRoot } from '../context/ambient.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { AbortOptions } from './component.ts'
import { abortable } from './promises.ts'

export interface LifecycleHooks {
  /** For the error of a use after close: `registry "file"`. */
  readonly label: string
  /** Opens what the component owns. Runs once; again only after it failed. */
  readonly open?: () => Promise<void> | void
  /** Releases it. Runs once, also when `open` never ran or failed. */
  readonly close?: () => Promise<void> | void
}

/** The connect/close half of a component: idempotent open on first use, final close. */
export interface Lifecycle {
  /** True between a successful open and close. */
  readonly opened: boolean
  readonly closed: boolean
  /** Opens if needed. @throws `failed_precondition` after close. */
  connect(options?: AbortOptions): Promise<void>
  close(options?: AbortOptions): Promise<void>
}

/**
 * The first caller's abort ends that caller's wait only: the open itself is shared work and runs
 * outside every call, so that it inherits neither a deadline nor a trace.
 */
export function createLifecycle(hooks: LifecycleHooks): Lifecycle {
  let opening: Promise<void> | undefined
  let closing: Promise<void> | undefined
  let opened = false

  const open = async (): Promise<void> => {
    try {
      await hooks.open?.()
      opened = true
    } catch (error) {
      opening = undefined
      throw error
    }
  }
  const close = async (): Promise<void> => {
    // Waits for a running open, so that what it opens is released too.
    await opening?.catch(() => undefined)
    opened = false
    await hooks.close?.()
  }

  return {
    get opened() {
      return opened && closing === undefined
    },
    get closed() {
      return closing !== undefined
    },
    async connect(options) {
      if (closing !== undefined) {
        throw new MicroError('failed_precondition', `${hooks.label} is closed`)
      }
      options?.signal?.throwIfAborted()
      opening ??= runInRoot(open)
      await abortable(opening, options?.signal)
    },
    async close(options) {
      closing ??= runInRoot(close)
      await abortable(closing, options?.signal)
    },
  }
}
