import { kindOfMediaType, kindOfName, parseDocument } from '@micro/config-documents'
import { createLifecycle, jitter, sleep } from '@micro/core/component'
import type { ConfigSource, ConfigTree } from '@micro/core/config'
import { MicroError } from '@micro/core/errors'
import { type Fetched, fetchDocument } from './fetch-document.ts'
import { type HttpSourceOptions, settle } from './options.ts'

/** What the document at a URL says. */
export function httpSource(options: HttpSourceOptions): ConfigSource {
  const settings = settle(options)
  const { place } = settings
  const closing = new AbortController()
  let latest: Fetched | undefined
  let failure: MicroError | undefined
  const lifecycle = createLifecycle({
    label: `config source "http" (${place})`,
    close: () => closing.abort(new MicroError('failed_precondition', 'config source is closed')),
  })

  const ask = async (signal: AbortSignal | undefined): Promise<Fetched> => {
    const either = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal])
    try {
      latest = await fetchDocument(settings, latest, either)
      failure = undefined
      return latest
    } catch (error) {
      if (MicroError.is(error) && !either.aborted) failure = error
      throw error
    }
  }
  const toTree = ({ text, type }: Fetched): ConfigTree => {
    const kind = settings.kind ?? kindOfMediaType(type) ?? kindOfName(settings.url.pathname)
    if (kind === undefined) {
      throw new MicroError(
        'invalid_argument',
        `${place}: content-type ${JSON.stringify(type)} is none of JSON, YAML and TOML: set the option kind`,
      )
    }
    const { values, lines } = parseDocument(place, kind, text)
    const origins = Object.fromEntries([...lines].map(([path, line]) => [path, `${place}:${line}`]))
    return { values, origins: { ...origins, '': place } }
  }

  return {
    name: 'http',
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
      return toTree(await ask(loadOptions?.signal))
    },
    /** A server that cannot be reached ends it; core begins again, with back-off. */
    async *watch(watchOptions): AsyncGenerator<ConfigTree> {
      await lifecycle.connect(watchOptions)
      const outer = watchOptions?.signal
      const signal = outer === undefined ? closing.signal : AbortSignal.any([outer, closing.signal])
      let told: string | undefined
      try {
        for (;;) {
          const fetched = await ask(outer)
          if (fetched.text !== told) {
            told = fetched.text
            yield treeOrError(() => toTree(fetched))
          }
          await sleep(jitter(settings.interval), { signal })
        }
      } catch (error) {
        // Closed, or nobody listens any more.
        if (!signal.aborted) throw error
      }
    },
  }
}

/** A document that does not parse is told of, and the watch goes on. */
function treeOrError(read: () => ConfigTree): ConfigTree {
  try {
    return read()
  } catch (error) {
    if (MicroError.is(error)) return { values: {}, error }
    throw error
  }
}
