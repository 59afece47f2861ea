import { createLifecycle } from '@micro/core/component'
import type { ConfigSource, ConfigTree } from '@micro/core/config'
import { MicroError } from '@micro/core/errors'
import { createNotices, type Notices } from './notices.ts'
import { type FileSourceOptions, settle } from './options.ts'
import { readContent, toTree } from './read-tree.ts'

/** What a file or a directory of files says. */
export function fileSource(options: FileSourceOptions): ConfigSource {
  const settings = settle(options)
  const watches = new Set<Notices>()
  let failure: MicroError | undefined
  const lifecycle = createLifecycle({
    label: `config source "file" (${settings.path})`,
    close() {
      for (const notices of watches) notices.end()
    },
  })

  /** Notices from before the first look to the end, so that no change falls in between. */
  async function* changes(signal: AbortSignal | undefined): AsyncGenerator<undefined> {
    const notices = createNotices(settings)
    const end = (): void => notices.end()
    watches.add(notices)
    signal?.addEventListener('abort', end, { once: true })
    try {
      while (!lifecycle.closed && signal?.aborted !== true) {
        const next = notices.next()
        yield undefined
        await next
      }
    } finally {
      notices.end()
      watches.delete(notices)
      signal?.removeEventListener('abort', end)
    }
  }

  return {
    name: 'file',
    contract: 'config/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health() {
      if (lifecycle.closed) return { status: 'down' }
      return failure === undefined
        ? { status: 'up' }
        : { status: 'degraded', detail: failure.detail }
    },
    async load(loadOptions) {
      await lifecycle.connect(loadOptions)
      return toTree(await readContent(settings, loadOptions?.signal), settings)
    },
    async *watch(watchOptions): AsyncGenerator<ConfigTree> {
      await lifecycle.connect(watchOptions)
      const signal = watchOptions?.signal
      let seen: string | undefined
      let told: string | undefined
      for await (const _ of changes(signal)) {
        try {
          const content = await readContent(settings, signal)
          if (content.fingerprint === seen) {
            // It was away, or torn, and is back as it was.
            failure = undefined
            continue
          }
          const tree = toTree(content, settings)
          seen = content.fingerprint
          told = undefined
          failure = undefined
          yield tree
        } catch (error) {
          if (!MicroError.is(error)) throw error
          failure = error
          // A file that is away for a moment is being replaced; what it said last goes on to count.
          if (error.code === 'unavailable' || error.detail === told) continue
          told = error.detail
          seen = undefined
          yield { values: {}, error }
        }
      }
    },
  }
}
